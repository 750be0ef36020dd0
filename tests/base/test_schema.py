"""A dataclass is read from plain data as its type hints say; what does not fit is named with its position."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from coabench.base.schema import (
    At,
    EachOnce,
    NotEmpty,
    Prose,
    Read,
    Text,
    Unfit,
    at_least,
    from_text,
    read_fields,
    read_file,
    read_value,
)
from coabench.errors import UserError


def even(number: int) -> int:
    if number % 2:
        raise Unfit("an even number", f"{number} is odd", found="an odd number", remedy="add one")
    return number


@dataclass(frozen=True)
class Part:
    name: Text
    code: Annotated[int, at_least(0)] | None = None


@dataclass(frozen=True)
class Whole:
    title: Prose
    parts: Annotated[tuple[Part, ...], NotEmpty] = ()
    pair: tuple[str, int] | None = None
    mode: Literal["fast", "slow"] | tuple[str, ...] = "fast"
    share: float = 0.5
    on: bool = True
    folder: Path | None = None
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    names: Annotated[tuple[str, ...], EachOnce] = ()
    number: Annotated[int, Read(even)] = 0
    length: Annotated[int, Read(len, str)] = 0
    where: str = field(default="", metadata={"key": "from"})
    anything: Any = None
    limit: int | None = 3


def read(**data: Any) -> Whole:
    return read_fields(Whole, {"title": "T", **data}, At("card.yaml", "correct the card"))


def test_every_kind_of_field() -> None:
    made = read(
        title=" A title\n",
        parts=[{"name": "a"}, {"name": "b", "code": 2}],
        pair=["x", 1],
        mode=["one"],
        share=1,
        on=False,
        folder="~/x",
        counts={"test": {"Up": 3}},
        names=["p", "q"],
        number=4,
        length="four",
        anything={3: [None]},
        limit=None,
        **{"from": "here"},
    )
    assert made == Whole(
        "A title", (Part("a"), Part("b", 2)), ("x", 1), ("one",), 1.0, False, Path("~/x").expanduser(),
        {"test": {"Up": 3}}, ("p", "q"), 4, 4, "here", {3: [None]}, None,
    )  # fmt: skip
    assert isinstance(made.share, float)
    assert read(mode="slow").mode == "slow"


def test_what_is_left_empty_is_left_out() -> None:
    assert read(parts=None, share=None, counts=None) == Whole("T")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"title": None}, ["card.yaml: the field 'title' is missing", "expected: a text", "add 'title'"]),
        ({"titel": "x"}, ["card.yaml: unknown field 'titel'", "did you mean 'title'?", "correct the card"]),
        ({True: "x"}, ["unknown field True"]),
        ({"title": False}, ["card.yaml: title cannot be read", "found: true or false: False", "put it in quotes"]),
        ({"title": ["T"]}, ["found: a list: ['T']", "correct the card"]),
        ({"parts": [{"name": "a"}, {"name": "b", "code": "2"}]}, ["parts[1].code cannot be read", "a whole number"]),
        ({"parts": [{"name": "a", "code": -1}]}, ["parts[0].code cannot be read", "0 or more", "a number: -1"]),
        ({"parts": [{"name": " "}]}, ["parts[0].name", "a text that is not empty"]),
        ({"parts": [{"nam": "a"}]}, ["card.yaml: parts[0]: unknown field 'nam'", "did you mean 'name'?"]),
        ({"parts": ["a"]}, ["parts[0] cannot be read", "a mapping with name, code"]),
        ({"parts": {"name": "a"}}, ["a list of mappings with name, code", "found: a mapping:"]),
        ({"parts": []}, ["one entry or more"]),
        ({"pair": ["x"]}, ["pair cannot be read"]),
        ({"pair": ["x", "y"]}, ["pair[1] cannot be read"]),
        ({"mode": "fats"}, ["fast or slow or a list of texts", "'fats'"]),
        ({"share": True}, ["a number", "true or false: True"]),
        ({"on": 1}, ["true or false", "a number: 1"]),
        ({"folder": 3}, ["a path", "put it in quotes"]),
        ({"counts": {"test": 3}}, ["counts.test cannot be read", "a mapping"]),
        ({"counts": {"test": {False: 3}}}, ["counts.test: a key cannot be read", "False", "put it in quotes"]),
        ({"names": "p"}, ["names cannot be read", "a list of texts", "write [p]"]),
        ({"names": ["p", "p"]}, ["names cannot be read", "every entry once"]),
        ({"number": 3}, ["number: 3 is odd", "an even number", "found: an odd number", "add one"]),
        ({"length": 4}, ["length cannot be read", "a text"]),
        ({"where": "x"}, ["unknown field 'where'", "from"]),
        ({"names": ["x" * 200, 3]}, ["names[1]"]),
        ({"names": {"x": "y" * 200}}, ["…"]),
    ],
)
def test_what_does_not_fit_is_named(data: dict[Any, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        read_fields(Whole, {"title": "T", **data}, At("card.yaml", "correct the card"))
    for word in words:
        assert word in str(refused.value)


def test_fields_that_are_known_or_of_a_newer_version() -> None:
    at = At("run.json")
    assert read_fields(Part, {"name": "a", "newer": 1}, at, others=True) == Part("a")
    assert read_fields(Part, {"code": 1}, at, name="b") == Part("b", 1)
    with pytest.raises(UserError, match="unknown field 'name'"):
        read_fields(Part, {"name": "a"}, at, name="b")


def test_a_file_says_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "part.yaml"
    path.write_text("schema: 2\nname: a\n")
    assert read_file(Part, path, "part", schema=2) == Part("a")
    with pytest.raises(UserError, match=r"part.yaml: schema 2 is unknown(?s:.)*expected: schema: 1"):
        read_file(Part, path, "part", schema=1)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "3", 3),
        (int, "x", "x"),
        (float | None, "2", 2.0),
        (float | None, "None", None),
        (bool, "Yes", True),
        (bool, "0", False),
        (Literal[1, 2], "2", 2),
        (int | Literal["auto"], "auto", "auto"),
        (str | None, "none", None),
        (str, "3", "3"),
        (Annotated[int, at_least(1)], "4", 4),
    ],
)
def test_a_text_of_the_command_line(kind: Any, text: str, value: Any) -> None:
    made = from_text(kind, text)
    assert (made, type(made)) == (value, type(value))


def test_a_type_that_no_file_holds_is_a_defect() -> None:
    with pytest.raises(TypeError, match="cannot be read from a file"):
        read_value(set, [1], At("x"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400, True, "1"])
def test_a_number_is_finite_and_no_truth_value(value: object) -> None:
    with pytest.raises(UserError, match="expected: a number"):
        read_value(float, value, At("x"))
    with pytest.raises(UserError, match="expected: a number"):
        read_value(float | None, value, At("x"))


def test_a_home_that_there_is_not_stays_as_it_is_written() -> None:
    assert read_value(Path, "~nobody-of-that-name/x", At("x")) == Path("~nobody-of-that-name/x")
