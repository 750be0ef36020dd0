"""The digest of a function: another one for whatever changes an answer, none for what may change unseen."""

from itertools import combinations
from typing import Any

import pytest

from coabench.registry.function_code import Opaque, digest

CALLED = "class Asks:\n    def __init__(self, said): self.said = said\n    def __call__(self, image, question):"
PAIRS = {
    "attribute": "def answer(image, question): return answer.said\nanswer.said = '{}'",
    "partial": "import functools\ndef f(said, i, q): return said\nanswer = functools.partial(f, '{}')",
    "state": CALLED + " return self.said\nanswer = Asks('{}')",
    "method": CALLED + " return self.said\nanswer = Asks('{}').__call__",
    "class": CALLED + " return self.said + '{}'\nanswer = Asks('')",
    "base": "class Base:\n    said = '{}'\nclass C(Base): pass\ndef answer(i, q): return C.said",
    "slot": "class C:\n    __slots__ = 'said',\nheld = C()\nheld.said = '{}'\ndef answer(i, q): return held.said",
    "property": "class C:\n    said = property(lambda self: '{}')\nheld = C()\ndef answer(i, q): return held.said",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass C:\n    said: str = '{}'\n"
    "held = C()\ndef answer(i, q): return held.said",
    "enum": "import enum\nclass E(enum.Enum):\n    A = '{}'\ndef answer(i, q): return E.A.value",
    "decorator": "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n    return g\n"
    "@twice\ndef answer(i, q): return '{}'",
    "array": "import numpy\nheld = numpy.array(['{}'])\ndef answer(i, q): return held[0]",
    "pattern": "import re\nheld = re.compile('{}')\ndef answer(i, q): return held.sub('', q)",
    "mutual": "def f(q): return g(q)\ndef g(q): return f(q) or '{}'\ndef answer(i, q): return f(q)",
    "wrapped": "import functools\ndef f(): return '{}'\n@functools.wraps(f)\n"
    "def answer(i, q): return answer.__wrapped__()",
    "cached property": "import functools\nclass C:\n    @functools.cached_property\n    def said(self): return '{}'\n"
    "held = C()\ndef answer(i, q): return held.said",
    "cached": "import functools\n@functools.cache\ndef f(q): return '{}'\ndef answer(i, q): return f(q)",
    "scalar": "import numpy\nheld = numpy.str_('{}')\ndef answer(i, q): return held",
    "list": "held = ['{}']\ndef answer(i, q): return held[0]",
    "import": "def answer(i, q):\n    from json import {0}s as f\n    return f(q)",
    "within": "def answer(i, q):\n    class C:\n        said = HELD\n    return C.said\nHELD = '{}'",
}


def made(code: str) -> Any:
    space: dict[str, Any] = {"__name__": "notebook"}
    exec(code, space)
    return space["answer"]


@pytest.mark.parametrize("code", PAIRS.values(), ids=PAIRS)
def test_what_changes_an_answer_changes_the_digest(code: str) -> None:
    one, same, other = (digest(made(code.format(said))) for said in ("load", "load", "dump"))
    assert one == same != other


def test_where_an_error_is_caught_counts() -> None:
    code = "def answer(i, q):\n    try:\n        a = i(q){}\n    except ValueError:\n        return 'x'\n{}    return a"
    codes = [("\n        b = q(i)", ""), ("", "    b = q(i)\n"), ("", "")]
    assert all(digest(made(code.format(*a))) != digest(made(code.format(*b))) for a, b in combinations(codes, 2))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def answer(i, q): return open('prompt.txt').read()", r"open\(\)"),
        ("held = open\ndef answer(i, q): return held('prompt.txt').read()", r"'held', open\(\)"),
        ("import importlib\ndef answer(i, q): return importlib.import_module('mine').f(q)", "the module importlib"),
        ("def answer(i, q): return globals()['held']", r"globals\(\)"),
        ("def answer(i, q):\n    import mine_own\n    return mine_own.f(q)", "the module mine_own"),
        ("def answer(i, q):\n    from .json import loads\n    return loads(q)", r"the module \.json"),
        ("import threading\nheld = threading.Lock()\ndef answer(i, q): return held", "'held', a lock"),
        ("import torch\nheld = {'m': torch.nn.Linear(1, 1)}\ndef answer(i, q): return held", "'held', a Linear"),
        ("class C:\n    m = iter('ab')\ndef f(): return C().m\ndef answer(i, q): return f()", "'f.C.m', a str_"),
        ("import threading\nclass D(threading.local): pass\nheld = D()\ndef answer(i, q): return held", "'held', a D"),
        ("class D(dict): pass\nheld = D(a=1)\ndef answer(i, q): return held", "'held', a D"),
        ("held = []\nheld.append(held)\ndef answer(i, q): return held", "refers to itself"),
    ],
)
def test_what_may_change_unseen_is_named(code: str, words: str) -> None:
    with pytest.raises(Opaque, match=words):
        digest(made(code))


def test_a_file_that_a_library_opens_is_no_reason() -> None:
    digest(made("from PIL import Image\ndef answer(i, q): return Image.open(q).mode"))
