"""What a registration may look like: each kind's details, and second names that are names."""

from pathlib import Path
from typing import Any

import pytest

from coabench.registry.registrations import DETAILS, KINDS, Registration, alias_taken, invalid_parts


def entry(name: Any = "mine", target: Any = "m:a", description: Any = "", **details: Any) -> Registration:
    return Registration(name, target, "plugin", "1.0", description, details)


def test_every_detail_belongs_to_a_kind() -> None:
    assert {detail.kind for detail in DETAILS} <= set(KINDS)


@pytest.mark.parametrize(
    "details",
    [
        {"available": "m:check", "weights": (".onnx",), "rank": 4.5},
        {"variants": ["a", "b"]},
        {"card": None, "short": None},
        {"card": Path(__file__), "short": "s"},
        {"title": "Cohen's kappa", "format": "number"},
        {"anything": object()},
    ],
)
def test_what_can_be_registered(details: dict[str, Any]) -> None:
    for kind in KINDS:
        assert list(invalid_parts(kind, entry(**details))) == []


@pytest.mark.parametrize(
    ("registration", "problem"),
    [
        (
            entry(name="a b"),
            "the name 'a b' cannot be typed; names have letters, digits and . _ + -, and no file's ending",
        ),
        (entry(name="card.yaml"), "the name 'card.yaml' cannot be typed"),
        (entry(name=7), "the name 7 cannot be typed"),
        (entry(target="module"), "the target of 'mine' is 'module'; it must be 'module:attribute'"),
        (entry(description=None), "the description of 'mine' is no text"),
        (entry(available=None), "the check of 'mine' is None; it must be 'module:attribute'"),
        (entry(variants="ab"), "variants='ab' of 'mine' is no tuple of texts"),
        (entry(weights=(1,)), "weights=(1,) of 'mine' is no tuple of texts"),
        (entry(rank="high"), "rank='high' of 'mine' is no number"),
        (entry(card="/nowhere"), "the card of 'mine' is not there: /nowhere"),
        (entry(short=3), "short=3 of 'mine' is no text"),
        (entry(title=3), "title=3 of 'mine' is no text"),
        (entry(format="%"), "format='%' of 'mine' is none of percent, number"),
    ],
)
def test_what_cannot_be_registered_is_named(registration: Registration, problem: str) -> None:
    kinds = {detail.kind for detail in DETAILS if detail.name in registration.details} or set(KINDS)
    for kind in KINDS:
        problems = list(invalid_parts(kind, registration))
        assert [line.startswith(problem) for line in problems] == ([True] if kind in kinds else [])


def test_a_second_name_is_a_name() -> None:
    taken, free = entry("other", short="s"), entry("third")
    assert alias_taken("datasets", entry(short="s"), [free, taken]) == ("short name 's'", taken)
    assert alias_taken("datasets", entry(short="third"), [taken, free]) == ("short name 'third'", free)
    assert alias_taken("datasets", entry(short="new"), [taken, free]) is None
    assert alias_taken("detectors", entry(short="s"), [taken]) is None
