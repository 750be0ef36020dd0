"""Reading dataclasses from what YAML, JSON or a command line holds, with errors that name the position.

A field is read as its type hint says: str, int, float, bool, Path, Literal, Any, tuples, Mapping, dataclasses, and
unions of these. A key that is left empty counts as left out, unless None is among its types. What a hint cannot say is
added to it with `Annotated` and a `Read`; a field whose name in the file is another has it under ``key`` in its
metadata. A field declared with `others` takes what no other field reads.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from coabench.base.reading import user_path
from coabench.base.yaml import read_yaml
from coabench.errors import UserError, did_you_mean

T = TypeVar("T")

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
FORMS: Mapping[Any, Any] = {
    str: str, Path: str, bool: bool, int: int, float: (int, float), tuple: (list, tuple), Any: object,
    type(None): type(None),
}  # fmt: skip
"""Type -> what a file holds where it is meant."""
UNION = (Union, types.UnionType)
LARGEST = sys.float_info.max
"""Of a number: neither infinite nor none, nor a whole number that no float holds."""
LONGEST = 80
"""Characters of a value that an error shows."""


class Unfit(ValueError):
    """A value does not fit: raised by the function of a `Read`, and completed with the position.

    Args:
        expected: what would have been right.
        problem: what is wrong, where "cannot be read" and the value say too little.
        found: what is there instead, with a *problem* that does not say it.
        remedy: what to do, where correcting the file says too little.
    """

    def __init__(self, expected: str, problem: str = "", *, found: str | None = None, remedy: str = "") -> None:
        super().__init__(expected)
        self.expected, self.problem, self.found, self.remedy = expected, problem, found, remedy


@dataclass(frozen=True)
class Read:
    """How a value becomes what a field holds: ``Annotated[Template, Read(Template.parse, str)]``.

    Attributes:
        make: called with the value; returns it, or what is made of it, or raises `Unfit`.
        source: the type of the value in the file, where it is not the annotated one.
    """

    make: Callable[[Any], Any]
    source: Any = None


@dataclass(frozen=True)
class At:
    """A position in a file, for error messages: ``card.yaml: labels.classes[2].code``."""

    file: object
    remedy: str = "correct the file"
    path: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.path}" if self.path else str(self.file)

    def field(self, name: object) -> At:
        """Return the position of a field of the mapping here."""
        return At(self.file, self.remedy, f"{self.path}.{name}" if self.path else str(name))

    def item(self, index: int) -> At:
        """Return the position of an entry of the list here, counted from 0."""
        return At(self.file, self.remedy, f"{self.path}[{index}]")

    def bad(self, value: object, expected: str, remedy: str = "") -> UserError:
        """Return the error for a value that does not fit."""
        return UserError(f"{self} cannot be read", expected=expected, found=shown(value), remedy=remedy or self.remedy)

    def wrong(self, problem: str, expected: str, *, found: str | None = None, remedy: str = "") -> UserError:
        """Return the error for what is wrong here though it can be read."""
        return UserError(f"{self}: {problem}", expected=expected, found=found, remedy=remedy or self.remedy)

    def unknown(self, name: object, known: Sequence[str], what: str = "field") -> UserError:
        """Return the error for a name that is none of the *known* ones."""
        hint = did_you_mean(str(name).replace("-", "_"), tuple(known))
        return self.wrong(f"unknown {what} {name!r}", ", ".join(known) or "none", remedy=hint + self.remedy)


def others(known: type | None = None) -> Any:
    """Declare the field that takes what no other field reads: what plugins add, or what another version wrote.

    Args:
        known: a dataclass that declares what is known of these.
    """
    return field(default_factory=dict, metadata={"others": True, "known": known})


def read_file(kind: type[T], path: Path, what: str, /, *, schema: int, **known: Any) -> T:
    """Read a dataclass from a YAML file.

    Args:
        kind: the dataclass.
        path: the file.
        what: what the file is, for error messages ("prompt file").
        schema: the version of its format; the file may say it under ``schema``.
        known: fields that are not in the file, with their values.

    Raises:
        UserError: the file cannot be read, is of another schema, or a field is missing, unknown or does not fit.
    """
    return read_versioned(kind, read_yaml(path, what=what), At(path, f"correct the {what}"), schema=schema, **known)


def read_versioned(kind: type[T], data: dict[str, Any], at: At, /, *, schema: int, **known: Any) -> T:
    """Return an instance of a dataclass made of what a file holds; see `read_file`."""
    written = data.pop("schema", schema)
    if written != schema:
        raise at.wrong(f"schema {written!r} is unknown", f"schema: {schema}", remedy="use a newer coabench")
    return read_fields(kind, data, at, **known)


def read_fields(kind: type[T], value: object, at: At, /, *, others: bool = False, **known: Any) -> T:
    """Return an instance of the dataclass *kind* made of a mapping.

    Args:
        kind: the dataclass.
        value: the mapping.
        at: its position.
        others: whether fields that the dataclass does not have are passed over.
        known: fields that are not in the mapping, with their values.

    Raises:
        UserError: a field is missing, unknown or does not fit.
    """
    if not isinstance(value, Mapping):
        raise at.bad(value, expected(kind))
    declared = declared_fields(kind)  # type: ignore[arg-type]  # mypy doubts that every class is hashable
    named = {name: (each, hint) for name, (each, hint) in declared.items() if each.name not in known}
    made, rest = dict(known), {name: item for name, item in value.items() if name not in named}
    for each in fields(kind):  # type: ignore[arg-type]  # it is a dataclass
        if each.metadata.get("others"):
            if each.metadata["known"]:
                read_fields(each.metadata["known"], rest, at)
            made[each.name], rest = rest, {}
    for name in rest if not others else ():
        raise at.unknown(name, list(named))
    for name, (each, hint) in named.items():
        if value.get(name) is not None or (name in value and fits(hint, None)):
            made[each.name] = read_value(hint, value[name], at.field(name))
        elif each.default is MISSING and each.default_factory is MISSING:
            raise at.wrong(f"the field {name!r} is missing", expected(hint), remedy=f"add {name!r}")
    return kind(**made)


@cache
def declared_fields(kind: Any) -> Mapping[str, tuple[Field[Any], Any]]:
    """Return the fields of a dataclass by their name in a file, each with its type hint."""
    hints = get_type_hints(kind, include_extras=True)
    read = (f for f in fields(kind) if f.init and not f.metadata.get("others"))
    return {f.metadata.get("key", f.name): (f, hints[f.name]) for f in read}


def read_value(kind: Any, value: Any, at: At) -> Any:
    """Return a value as its type hint wants it.

    Raises:
        UserError: it does not fit.
    """
    if kind is type(value) and kind in FORMS and kind is not float:  # as most are
        return value
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        made = read_value(source_of(kind), value, at)
        for step in steps_of(kind):
            try:
                made = step.make(made)
            except Unfit as unfit:
                if unfit.problem:
                    raise at.wrong(unfit.problem, unfit.expected, found=unfit.found, remedy=unfit.remedy) from None
                raise at.bad(value, unfit.expected, unfit.remedy) from None
        return made
    if not fits(kind, value):
        raise at.bad(value, expected(kind), _hint(kind, value, at))
    if origin in UNION:
        return read_value(next(member for member in args if fits(member, value)), value, at)
    if isinstance(kind, type) and is_dataclass(kind):
        return read_fields(kind, value, at)
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[1:] == (...,) else args
        if len(kinds) != len(value):
            raise at.bad(value, expected(kind))
        return tuple(read_value(k, v, at.item(i)) for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is Mapping:
        wrong = next((key for key in value if not fits(args[0], key)), value)
        if wrong is not value:
            hint = _hint(args[0], wrong, at)
            raise at.wrong("a key cannot be read", expected(args[0]), found=shown(wrong), remedy=hint)
        return {key: read_value(args[1], item, at.field(key)) for key, item in value.items()}
    if kind is float:
        if not _is_finite(value):
            raise at.bad(value, "a number that is finite")
        return float(value)
    return user_path(value) if kind is Path else value


def steps_of(kind: Any) -> list[Read]:
    return [step for step in kind.__metadata__ if isinstance(step, Read)]


def source_of(kind: Any) -> Any:
    """Return the type that the file holds of an annotated one."""
    return next((step.source for step in steps_of(kind) if step.source is not None), get_args(kind)[0])


@cache
def _members(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, annotations taken off; a type that is none alone."""
    if get_origin(kind) is Annotated:
        return _members(source_of(kind))
    if get_origin(kind) in UNION:
        return tuple(member for part in get_args(kind) for member in _members(part))
    return (kind,)


def fits(kind: Any, value: Any) -> bool:
    """Whether a value is of the outer form that a type hint wants; what is in a list or a mapping is not looked at."""
    return any(fits_member(member, value) for member in _members(kind))


def fits_member(kind: Any, value: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if origin is Mapping or is_dataclass(kind):
        return isinstance(value, Mapping)
    if origin not in FORMS:
        raise TypeError(f"{kind!r} cannot be read from a file")
    if origin is float and isinstance(value, int | float) and not abs(value) <= LARGEST:
        return False
    return isinstance(value, FORMS[origin]) and (origin in (bool, Any) or not isinstance(value, bool))


def expected(kind: Any) -> str:
    """Return in words what a type hint wants."""
    return " or ".join(_expected(member) for member in _members(kind) if member is not type(None))


def _expected(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin is tuple:
        noun, joint, rest = expected(args[0]).removeprefix("a ").partition(" with ")
        number = "" if args[1:] == (...,) else f"{len(args)} "
        return f"a list of {number}{noun}s{joint}{rest}"
    if isinstance(kind, type) and is_dataclass(kind):
        return "a mapping with " + ", ".join(declared_fields(kind))
    return _NAMES.get(kind, "a mapping")


def shown(value: object) -> str:
    """Return a value for people, with its kind."""
    if value is None:
        return "nothing"
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    kind = "a mapping" if isinstance(value, Mapping) else kinds.get(type(value), type(value).__name__)
    text = repr(value)
    return f"{kind}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"


def _hint(kind: Any, value: Any, at: At) -> str:
    """Return what to do about a value: YAML reads ``no`` as false, and a single text is no list."""
    members = _members(kind)
    if isinstance(value, str) and any(get_origin(member) is tuple for member in members):
        return f"write [{value}]"
    if isinstance(value, str):
        words = [str(word) for member in members if get_origin(member) is Literal for word in get_args(member)]
        return did_you_mean(value, words) + at.remedy
    return "put it in quotes" if {str, Path} & {*members} and not isinstance(value, list | Mapping | None) else ""


def from_text(kind: Any, text: str) -> Any:
    """Return the value that a text from a command line stands for, or the text itself, which `read_value` judges."""
    for member in _members(kind):
        if member is type(None) and text.casefold() == "none":
            return None
        if member is bool and text.casefold() in ("true", "yes", "1", "false", "no", "0"):
            return text.casefold() in ("true", "yes", "1")
        if get_origin(member) is Literal and text in map(str, get_args(member)):
            return next(choice for choice in get_args(member) if text == str(choice))
        if member in (int, float):
            with suppress(ValueError):
                return member(text)
    return text


def must(holds: Callable[[Any], object], expected: str) -> Read:
    """Return the rule that something holds of a value."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise Unfit(expected)
        return value

    return Read(check)


def at_least(least: float) -> Read:
    """Return the rule that a number is not below *least*."""
    return must(lambda number: number >= least, f"{least:g} or more")


def between(least: float, most: float) -> Read:
    """Return the rule that a number lies within these, both included."""
    return must(lambda number: least <= number <= most, f"{least:g} to {most:g}")


def _is_finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # a whole number that no float holds
        return False


Number = Annotated[int | float, must(_is_finite, "a number that is finite")]
"""A number, neither NaN nor infinite; JSON as Python reads it has both."""

Count = Annotated[int, must(lambda number: 0 <= number < 2**63, "a whole number from 0 on, in 64 bits")]
"""How many; arrays hold it."""

Proportion = Annotated[int | float, must(lambda number: 0 <= number <= 1, "a number from 0 to 1")]
"""A part of a whole."""

Text = Annotated[str, must(str.strip, "a text that is not empty")]
"""A text that is not empty."""

Prose = Annotated[str, Read(str.strip)]
"""A text for people, without the white space around it that YAML's blocks leave."""

EachOnce = must(lambda entries: len({*entries}) == len(entries), "every entry once")
"""Of a tuple: no entry twice."""

NotEmpty = must(bool, "one entry or more")
"""Of a tuple or a mapping: it has entries."""
