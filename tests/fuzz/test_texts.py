"""Cards, prompt files, sheets: YAML that users write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st
from support.faces_trees import face

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, mutated

EVALUATE = ("evaluate", "--backbone", "scripted", "--output", "run")


def yaml_files(valid: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy of YAML files: mutations of *valid*, or its damaged bytes."""
    text = yaml.safe_dump(valid, sort_keys=False)

    def dumped(data: Any) -> bytes:
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")

    return mutated(valid).map(dumped) | damaged(text.encode())


CARD = {
    "name": "mine",
    "title": "Faces",
    "loader": "faces",
    "splits": ["test", "train"],
    "labels": {
        "basic": ["Surprise", "Happiness", "Sadness", "Neutral"],
        "neutral": "Neutral",
        "classes": [
            {"name": "Happily Surprised", "code": 1, "pair": ["Happiness", "Surprise"], "aliases": ["glad"]},
            {"name": "Sadly Surprised", "code": 2, "pair": ["Sadness", "Surprise"]},
        ],
    },
    "options": {
        "table": "labels.csv", "image": "images/{file}", "label": "emotion", "subject": "who", "attributes": ["age"],
        "values": {"9": None}, "where": {"fold": [1, 2]}, "duplicates": "first",
    },
    "counts": {"test": {"Happily Surprised": 1, "Sadly Surprised": 1}},
    "image_size": [32, 32],
    "terms": "CC0",
    "citation": "nobody",
}  # fmt: skip
TABLE = "file,emotion,who,age,fold,split\na.png,1,anna,20,1,test\nb.png,2,ben,30,2,test\nc.png,1,eve,40,2,train\n"


@pytest.fixture(scope="module")
def faces() -> list[bytes]:
    return [face("Happiness", 1), face("Sadness", 2), face("Happiness", 3)]


@fuzz(0.07, card=yaml_files(CARD))
def test_cards(attempts: Attempts, faces: list[bytes], card: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "card.yaml").write_bytes(card)
        (folder / "data" / "images").mkdir(parents=True)
        (folder / "data" / "labels.csv").write_text(TABLE)
        for name, data in zip("abc", faces, strict=True):
            (folder / "data" / "images" / f"{name}.png").write_bytes(data)
        attempts.run(folder, "datasets", "verify", "card.yaml", "--data-root", "data")
        attempts.run(folder, *EVALUATE, "--dataset", "card.yaml", "--data-root", "data")


PROMPTS = {
    "name": "mine",
    "description": "asks twice",
    "version": 1,
    "chat": "continued",
    "on_invalid": "stop",
    "questions": [
        {
            "name": "primary",
            "prompt": "Which of {{ options | join(', ') }}? {% if compound %}Two.{% endif %}",
            "options": "basic",
        },
        {
            "name": "second",
            "prompt": "{% for o in options %}{{ loop.index }}. {{ o }}\n{% endfor %}Not {{ primary | upper }}.",
            "options": "basic",
            "without": ["primary"],
            "only": "compound",
        },
    ],
    "conclude": ["primary", "second"],
}
EXPRESSIONS = (
    "{{ 10 ** 10 ** 10 }}", "{{ 'a' * 10 ** 10 }}", "{{ 1 / 0 }}", "{% include 'x' %}", "{{ lipsum(10000) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ options | map('upper') | list }}", "{{ nothing.at.all }}",
    "{% for a in options %}{% for b in options %}{% for c in options %}{{ a }}{% endfor %}{% endfor %}{% endfor %}",
    "{{ ''.__class__.__mro__ }}", "{{ options[99] }}", "{% set x = options %}{{ x }}", "{{ range(10**9) | list }}",
    "{{ primary.split() }}", "{{ cycler }}", "{% raw %}", "{{ '%1000000000s' | format(1) }}",
    "{{ 'x' | center(10**10) }}",
    "{% for o in primary %}{{ o }}{% endfor %}", "{{ options | join(options | join(options)) }}", "{{ self }}",
    "{{ primary ~ primary ~ primary }}", "{{ (options | length) * 10 ** 9 }}", "{{ namespace(a=1).a }}", "{# open",
)  # fmt: skip
templates = st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=3).map("".join)


@st.composite
def prompt_files(draw: Callable[..., Any]) -> bytes:
    """Mutations of a prompt file, half of them with hostile templates."""
    if draw(st.booleans()):
        valid: dict[str, Any] = yaml.safe_load(yaml.safe_dump(PROMPTS))
        valid["questions"][draw(st.integers(0, 1))]["prompt"] = draw(templates)
        return yaml.safe_dump(valid).encode()
    return draw(yaml_files(PROMPTS))  # type: ignore[no-any-return]


@fuzz(0.08, prompts=prompt_files())
def test_prompt_files(attempts: Attempts, prompts: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "ask.yaml").write_bytes(prompts)
        attempts.run(folder, *EVALUATE, "--strategy", "ask.yaml", "--dataset", "drawn", "--set", "count=3")


SHEET = {
    "name": "four",
    "output": "out",
    "defaults": {"backbone": "scripted", "dataset": "drawn", "batch_size": 2, "set": {"count": 2}},
    "axes": {"strategy": ["direct", "chain-of-affect"], "decode": ["generate", "score"], "set": {"always": ["a", "b"]}},
    "adjust": [{"for": {"strategy": "direct"}, "batch_size": 1, "resources": {"cpus": 1}}],
    "exclude": [{"strategy": "direct", "decode": "score"}],
    "include": [{"strategy": "direct", "adapter": "none"}],
    "resources": {"cpus": 1, "gpus": 0, "memory": "2 GiB"},
}


@fuzz(0.05, sheet=yaml_files(SHEET))
def test_sheets(attempts: Attempts, sheet: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "sheet.yaml").write_bytes(sheet)
        attempts.run(folder, "sweep", "sheet.yaml", "--dry-run")
