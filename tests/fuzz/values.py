"""Hostile values, and mutations that put them into valid files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TEXTS = (
    "", " ", "\n", "\x00", "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\ud800", "é", "e\u0301", MARKUP, "{{ 7*7 }}",
    "{% for i in range(10**9) %}x{% endfor %}", "{{ 'a'*10**10 }}", "{", "}", "%s%n", "../../etc/passwd", "/dev/zero",
    "~nobody/x", "$HOME", "NaN", "Infinity", "1e999", "0x10", "010", "1_000", "12:30:45", "2026-02-30", "0000-01-01",
    "null", "true", "yes", "=cmd|' /C calc'!A0", "-", "--help", "a" * 300, "x" * 70_000, "名前", "None", "[]",
    "file:///etc/passwd", "http://127.0.0.1:9/", "!!python/object/apply:os.system [id]", "Happiness", "a,b;c\td",
)  # fmt: skip
"""Texts that have gone wrong somewhere: control characters, markup, templates, paths, numbers, words of YAML."""

NUMBERS = (
    0, -1, 1, 2, 255, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e-320, 1.5, 1e308, -1e308,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip

texts = st.sampled_from(TEXTS) | st.text(max_size=20)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""What JSON and YAML can say, and JSON as Python writes it: NaN and infinities too."""


def mutated(valid: Any, more: st.SearchStrategy[Any] = values) -> st.SearchStrategy[Any]:
    """Return a strategy of copies of *valid* (of mappings, lists and scalars) that are changed in one to three places.

    Args:
        more: what may stand in the place of a value.
    """

    @st.composite
    def draw_one(draw: Callable[..., Any]) -> Any:
        tree = [deepcopy(valid)]
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            places = list(_places(tree))
            holder, key = places[draw(st.integers(0, len(places) - 1))]
            match draw(st.sampled_from(("replace", "replace", "replace", "remove", "add", "swap"))):
                case "remove" if holder is not tree:
                    del holder[key]
                case "add" if isinstance(holder[key], dict):
                    holder[key][draw(texts)] = draw(more)
                case "add" if isinstance(holder[key], list):
                    holder[key].append(draw(more))
                case "swap":
                    other, place = places[draw(st.integers(0, len(places) - 1))]
                    holder[key] = deepcopy(other[place])
                case _:
                    holder[key] = draw(more if draw(st.booleans()) else _like(holder[key], more))
        return tree[0]

    return draw_one()


def _like(value: Any, more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy of values of the same type, which come further than others."""
    match value:
        case bool():
            return st.booleans()
        case int() | float():
            return numbers
        case str():
            return texts
        case list():
            return st.permutations(value) | st.just([*value, *value]) | st.lists(more, max_size=3)
        case _:
            return more


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (mapping or list, key) in a tree."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


PIECES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b'"', b"'", b",", b"\t", b"{", b"}", b"[" * 100_000,
    b'{"a":' * 20_000, b"9" * 5_000, b"NaN", b"-Infinity", b"\x1b[31m", b"\xe9", b"\xed\xa0\x80", b"&a [*a,*a]",
    b"&a {x: *a}", b"!!python/object:os.system", b"<<: *a", b": ", b"- ", b"# ", b"%YAML 9.9\n", b"---\n", b"?" * 3,
    MARKUP.encode(), b"A" * 200_000, b"\xff" * 8, b"\x7f\xff\xff\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"PK\x03\x04",
    b"\x80\x04\x95", b"\x1f\x8b\x08\x00",
)  # fmt: skip
"""Bytes that mean something to some reader."""
HARMLESS = (b"0", b"7", b"a", b" ")


def damaged(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy of copies of *valid* that are cut, overwritten, repeated or added to."""

    @st.composite
    def draw_one(draw: Callable[..., Any]) -> bytes:
        data = valid
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            place = draw(st.integers(0, len(data)))
            length = draw(st.sampled_from((1, 2, 4, 16, 100)))
            piece = draw(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=8) | st.sampled_from(HARMLESS))
            match draw(st.sampled_from(("cut", "insert", "overwrite", "overwrite", "remove", "repeat"))):
                case "cut":
                    data = data[:place]
                case "insert":
                    data = data[:place] + piece + data[place:]
                case "overwrite":
                    data = data[:place] + piece + data[place + len(piece) :]
                case "remove":
                    data = data[:place] + data[place + length :]
                case _:
                    data = data[:place] + data[place : place + length] * 3 + data[place + length :]
        return data

    return draw_one()


def json_bytes(data: Any) -> bytes:
    """Return data as JSON, lone surrogates as escapes; NaN and infinities as Python writes them."""
    return json.dumps(data).encode()


def json_files(valid: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy of JSON files: mutations of *valid*, or its damaged bytes."""
    return mutated(valid).map(json_bytes) | damaged(json_bytes(valid))
