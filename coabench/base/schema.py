"""Reading dataclasses from what YAML, JSON or a command line holds, with errors that name the position.

A field is read as its type hint says: str, int, float, bool, Path, Literal, Any, tuples, Mapping, dataclasses, and
unions of these. A key that is left empty counts as left out, unless None is among its types. What a hint cannot say is
added to it with `Annotated` and a `Read`; a field whose name in the file is another has it under ``key`` in its
metadata.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from coabench.base.yaml import read_yaml
from coabench.errors import UserError, did_you_mean

T = TypeVar("T")

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
_UNION = (Union, types.UnionType)
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

    def fault(self, value: object, unfit: Unfit) -> UserError:
        """Return the error for a value that a `Read` does not take."""
        if not unfit.problem:
            return self.bad(value, unfit.expected, unfit.remedy)
        return self.wrong(unfit.problem, unfit.expected, found=unfit.found, remedy=unfit.remedy)

    def wrong(self, problem: str, expected: str, *, found: str | None = None, remedy: str = "") -> UserError:
        """Return the error for what is wrong here though it can be read."""
        return UserError(f"{self}: {problem}", expected=expected, found=found, remedy=remedy or self.remedy)

    def unknown(self, name: object, known: Sequence[str], what: str = "field") -> UserError:
        """Return the error for a name that is none of the *known* ones."""
        hint = did_you_mean(str(name).replace("-", "_"), tuple(known))
        return self.wrong(f"unknown {what} {name!r}", ", ".join(known) or "none", remedy=hint + self.remedy)


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
    data = read_yaml(path, what=what)
    at, written = At(path, f"correct the {what}"), data.pop("schema", schema)
    if written != schema:
        raise at.wrong(f"schema {written!r} is unknown", f"schema: {schema}", remedy="use a newer coabench")
    return read_fields(kind, data, at, **known)


def read_fields(kind: type[T], value: object, at: At, /, *, others: bool = False, **known: Any) -> T:
    """Return an instance of the dataclass *kind* made of a mapping.

    Args:
        kind: the dataclass.
        value: the mapping.
        at: its position.
        others: whether fields that the dataclass does not have are passed over, as where a newer version wrote them.
        known: fields that are not in the mapping, with their values.

    Raises:
        UserError: a field is missing, unknown or does not fit.
    """
    if not isinstance(value, Mapping):
        raise at.bad(value, expected(kind))
    declared = _declared(kind)  # type: ignore[arg-type]  # mypy doubts that every class is hashable
    named = {name: (field, hint) for name, (field, hint) in declared.items() if field.name not in known}
    for name in value if not others else ():
        if name not in named:
            raise at.unknown(name, list(named))
    made = dict(known)
    for name, (field, hint) in named.items():
        if value.get(name) is not None or (name in value and fits(hint, None)):
            made[field.name] = read_value(hint, value[name], at.field(name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise at.wrong(f"the field {name!r} is missing", expected(hint), remedy=f"add {name!r}")
    return kind(**made)


@cache
def _declared(kind: Any) -> Mapping[str, tuple[Field[Any], Any]]:
    """Return the fields of a dataclass by their name in a file, each with its type hint."""
    hints = get_type_hints(kind, include_extras=True)
    return {f.metadata.get("key", f.name): (f, hints[f.name]) for f in fields(kind) if f.init}


def read_value(kind: Any, value: Any, at: At) -> Any:
    """Return a value as its type hint wants it.

    Raises:
        UserError: it does not fit.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        steps = _steps(kind)
        made = read_value(_source(kind), value, at)
        for step in steps:
            try:
                made = step.make(made)
            except Unfit as unfit:
                raise at.fault(value, unfit) from None
        return made
    if not fits(kind, value):
        raise at.bad(value, expected(kind), remedy=_hint(kind, value, at))
    if origin in _UNION:
        return read_value(next(member for member in args if fits(member, value)), value, at)
    if isinstance(kind, type) and is_dataclass(kind):
        return read_fields(kind, value, at)
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[1:] == (...,) else args
        if len(kinds) != len(value):
            raise at.bad(value, expected(kind))
        return tuple(read_value(k, v, at.item(i)) for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is Mapping:
        return {_read_key(args[0], key, at): read_value(args[1], item, at.field(key)) for key, item in value.items()}
    if kind is float:
        return float(value)
    return Path(value).expanduser() if kind is Path else value


def _read_key(kind: Any, key: Any, at: At) -> Any:
    if not fits(kind, key):
        raise at.wrong("a key cannot be read", expected(kind), found=shown(key), remedy=_hint(kind, key, at))
    return read_value(kind, key, at)


def _steps(kind: Any) -> list[Read]:
    return [step for step in kind.__metadata__ if isinstance(step, Read)]


def _source(kind: Any) -> Any:
    """Return the type that the file holds of an annotated one."""
    return next((step.source for step in _steps(kind) if step.source is not None), get_args(kind)[0])


def fits(kind: Any, value: Any) -> bool:
    """Whether a value is of the outer form that a type hint wants; what is in a list or a mapping is not looked at."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return fits(_source(kind), value)
    if origin in _UNION:
        return any(fits(member, value) for member in args)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in args)
    if origin is tuple:
        return isinstance(value, list | tuple)
    if origin is Mapping or is_dataclass(kind):
        return isinstance(value, Mapping)
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if kind is Any:
        return True
    if kind not in (str, bool, Path, type(None)):
        raise TypeError(f"{kind!r} cannot be read from a file")
    return isinstance(value, str if kind is Path else kind)


def expected(kind: Any) -> str:
    """Return in words what a type hint wants."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return expected(_source(kind))
    if origin in _UNION:
        return " or ".join(expected(member) for member in args if member is not type(None))
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin is tuple:
        noun, joint, rest = expected(args[0]).removeprefix("a ").partition(" with ")
        number = "" if args[1:] == (...,) else f"{len(args)} "
        return f"a list of {number}{noun}s{joint}{rest}"
    if isinstance(kind, type) and is_dataclass(kind):
        return "a mapping with " + ", ".join(_declared(kind))
    return _NAMES.get(kind, "a mapping" if origin is Mapping else "something else")


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
    members = [get_origin(member) or member for member in _members(kind)]
    if tuple in members and isinstance(value, str):
        return f"write [{value}]"
    if isinstance(value, str):
        words = [str(word) for member in _members(kind) if get_origin(member) is Literal for word in get_args(member)]
        return f"{did_you_mean(value, words)}{at.remedy}"
    return "put it in quotes" if {str, Path} & {*members} and not isinstance(value, list | Mapping | None) else ""


def _members(kind: Any) -> list[Any]:
    """Return the types of a union, annotations taken off; a type that is none alone."""
    if get_origin(kind) is Annotated:
        return _members(_source(kind))
    return [m for part in get_args(kind) for m in _members(part)] if get_origin(kind) in _UNION else [kind]


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
            try:
                return member(text)
            except ValueError:
                continue
    return text


def _not_blank(value: str) -> str:
    if not value.strip():
        raise Unfit("a text that is not empty")
    return value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise Unfit("every entry once", f"{twice!r} stands twice")
    return values


def _not_empty(values: Any) -> Any:
    if not values:
        raise Unfit("one entry or more")
    return values


def at_least(least: float) -> Read:
    """Return the rule that a number is not below *least*."""

    def check(value: float) -> float:
        if value < least:
            raise Unfit(f"{least:g} or more")
        return value

    return Read(check)


Text = Annotated[str, Read(_not_blank)]
"""A text that is not empty."""

Prose = Annotated[str, Read(str.strip)]
"""A text for people, without the white space around it that YAML's blocks leave."""

EachOnce = Read(_each_once)
"""Of a tuple: no entry twice."""

NotEmpty = Read(_not_empty)
"""Of a tuple or a mapping: it has entries."""
