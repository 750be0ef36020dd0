"""Options of a plugin: are they declared as they must be, and are they read?"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from coabench.errors import SampleError, UserError
from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION
from coabench.testing.findings import Findings


def check_declared(findings: Findings, declared: Any) -> None:
    """Note where ``Options`` is not what `coabench.registry.options` needs."""
    if not isinstance(declared, type) or not is_dataclass(declared):
        findings.add(BAD_OPTIONS, f"Options is {declared!r}")
        return
    missing = [f.name for f in fields(declared) if f.default is MISSING and f.default_factory is MISSING]
    findings.need(not missing, BAD_OPTIONS, f"without a default: {', '.join(missing)}")
    findings.attempt(BAD_OPTIONS, get_type_hints, declared)
    findings.attempt(BAD_OPTIONS, declared)


def check_read(findings: Findings, defaults: Any, use: Callable[[Any], object]) -> None:
    """Note the options that are never read, whatever values the others have.

    Args:
        defaults: an instance of the declared options.
        use: does with options whatever may read them.
    """
    unread = {field.name for field in fields(defaults)}
    for changed in (partial(replace, defaults), *(changed for _, changed in variations(defaults))):
        if not unread:
            return
        try:
            copy, read = watched(changed())
            use(copy)
        except (UserError, SampleError):  # what refuses a value has read it
            return
        unread -= read
    evidence = [f"{field.name!r} is never read" for field in fields(defaults) if field.name in unread]
    findings.need(not evidence, IGNORED_OPTION, "; ".join(evidence))


def variations(options: Any) -> Iterator[tuple[str, partial[Any]]]:
    """Yield (option, what makes these options with another value for it), several for each whose type allows it.

    Texts without choices are left alone: they may name files and servers.
    """
    hints = get_type_hints(type(options))
    for field in fields(options):
        for value in _others(hints[field.name], getattr(options, field.name)):
            yield field.name, partial(replace, options, **{field.name: value})


def _others(kind: Any, value: Any) -> list[Any]:
    origin, choices = get_origin(kind), get_args(kind)
    if origin is Literal:
        return [choice for choice in choices if choice != value]
    if origin in (Union, types.UnionType):
        inner = next(c for c in choices if c is not type(None))
        return _others(inner, value if value is not None else inner()) if inner in (int, float, bool) else []
    if kind is bool:
        return [not value]
    if kind is int:
        return [value + 1, value * 2 + 3, value - 1]
    if kind is float:
        return [value + 0.25, value * 3 + 1.5, value / 2]
    return []


def watched(options: Any) -> tuple[Any, set[str]]:
    """Return a copy of the options, and a set that will hold the names of those that were read."""
    names, read = {f.name for f in fields(options)}, set[str]()

    class Watched(type(options)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in names:
                read.add(name)
            return super().__getattribute__(name)

    copy = object.__new__(Watched)
    for name in names:
        object.__setattr__(copy, name, getattr(options, name))
    Watched.__name__, Watched.__qualname__ = type(options).__name__, type(options).__qualname__
    return copy, read
