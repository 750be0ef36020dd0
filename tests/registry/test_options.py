"""``--set key=value`` reaches the plugin that declares it, with its type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from coabench.errors import UserError
from coabench.registry.options import distribute, parse_assignments


@dataclass(frozen=True)
class Model:
    crops: int = 4
    stop: Literal["end", "text"] = "end"
    warm: bool = False
    limit: float | None = 1.0
    images: str = "a"


@dataclass(frozen=True)
class Data:
    images: Literal["aligned", "original"] = "aligned"


OWNERS = {"backbone": Model, "dataset": Data}


def test_values_get_their_types() -> None:
    given = parse_assignments(["crops=16", "stop=text", "warm=yes", "limit=none", "dataset.images=original"])
    assert distribute(given, OWNERS) == {
        "backbone": Model(16, "text", True, None, "a"),
        "dataset": Data("original"),
    }


@dataclass(frozen=True)
class Remote:
    body: Mapping[str, Any] = field(default_factory=dict)


def test_an_option_that_is_a_mapping_is_filled_entry_by_entry_with_values_in_json() -> None:
    given = parse_assignments(["body.top_k=5", 'backbone.body.more={"a": [true]}'])
    assert distribute(given, {"backbone": Remote})["backbone"].body == {"top_k": 5, "more": {"a": [True]}}
    for wrong in ("body.top_k=five", "body.top_k={"):
        with pytest.raises(UserError, match=r"cannot be read(?s:.*)a value in JSON"):
            distribute(parse_assignments([wrong]), {"backbone": Remote})


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("crops", "key=value"),
        ("crop=1", "did you mean 'crops'"),
        ("crops=many", "a whole number"),
        ("stop=txt", "did you mean 'text'"),
        ("warm=maybe", "true or false"),
        ("images=x", "several plugins"),
        ("dataset.crops=4", "no plugin in use"),
    ],
)
def test_what_does_not_fit_is_refused(assignment: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        distribute(parse_assignments([assignment]), OWNERS)


def test_a_key_with_two_values_is_refused_unless_they_are_the_same() -> None:
    with pytest.raises(UserError, match="--part-lr vision has two values") as error:
        parse_assignments(["vision=1e-4", "vision=1e-3"], option="--part-lr")
    assert error.value.found == "1e-4 and 1e-3"
    assert parse_assignments(["a=1", "a=1"]) == {"a": "1"}
