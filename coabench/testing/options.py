"""Options of a plugin: are they declared as they must be, and does setting them do anything?"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import suppress
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


def check_effects(
    findings: Findings, defaults: Any, use: Callable[[Any], object], same: Callable[[Any, Any], bool] | None = None
) -> None:
    """Note the options that do nothing: they are never read, or nothing changes with them.

    Each is tried alone, and together with another value of every other option, which it may depend on.

    Args:
        defaults: an instance of the declared options.
        use: does with options whatever may read them.
        same: whether nothing changes from these options to those; None where that cannot be known.
    """
    names = [field.name for field in fields(defaults)]
    unread = set(names) - _read(use, defaults)
    for _, changed in variations(defaults) if unread else ():
        unread -= _read(use, changed)
    evidence = [f"{name!r} is never read" for name in names if name in unread]
    varied = {name for name, _ in variations(defaults)}
    if same is not None and varied == set(names):  # a text may be what another option depends on
        idle = [name for name in names if name not in unread and _idle(name, defaults, same)]
        evidence += [f"nothing changes with another {name!r}" for name in idle]
    findings.need(not evidence, IGNORED_OPTION, "; ".join(evidence))


def _read(use: Callable[[Any], object], options: Any) -> set[str]:
    """Return the options that are read where these are used; all of them where their values are refused."""
    try:
        copy, read = watched(options() if isinstance(options, partial) else options)
        use(copy)
    except (UserError, SampleError):
        refused = options.args[0] if isinstance(options, partial) else options
        return {field.name for field in fields(refused)}
    return read


def _idle(name: str, defaults: Any, same: Callable[[Any, Any], bool]) -> bool:
    """Whether nothing changes with another value of an option, whatever value any other option has."""
    values = [changed.keywords[name] for which, changed in variations(defaults) if which == name]
    for base in (partial(replace, defaults), *(changed for which, changed in variations(defaults) if which != name)):
        with suppress(UserError, SampleError):  # where the base is refused, it says nothing
            if same(base(), base()) and not all(_same_or_refused(same, base, name, value) for value in values):
                return False
    return True


def _same_or_refused(same: Callable[[Any, Any], bool], base: partial[Any], name: str, value: Any) -> bool:
    """Whether nothing changes with a value; a value that is refused is a value that is read."""
    try:
        return same(base(), base(**{name: value}))
    except (UserError, SampleError):
        return False


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
