"""Plugin options: ``--set key=value`` into the dataclasses that plugins declare."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from coabench.errors import UserError, did_you_mean


def parse_assignments(pairs: Sequence[str], option: str = "--set") -> dict[str, str]:
    """Return ``["a=1", "b=x"]`` as a mapping; `UserError`, naming the *option*, for anything else."""
    result: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UserError(
                f"{option} {pair!r} cannot be read", expected=f"{option} key=value", remedy="write key=value"
            )
        result[key.strip()] = value.strip()
    return result


def distribute(assignments: Mapping[str, str], owners: Mapping[str, type]) -> dict[str, Any]:
    """Give every assignment to the plugin that declares it.

    Args:
        assignments: key -> value, as typed. ``backbone.num_crops`` says whose option is meant.
        owners: "backbone", "dataset"… -> the dataclass of its options.

    Returns:
        owner -> an instance of its dataclass.

    Raises:
        UserError: a key that nobody declares, that several declare, or a value of another type.
    """
    known = {owner: _types(declared) for owner, declared in owners.items()}
    values: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for key, text in assignments.items():
        prefix, _, bare = key.rpartition(".")
        takers = [o for o, names in known.items() if bare in names and prefix in ("", o)]
        if len(takers) != 1:
            every = sorted(f"{name} ({owner})" for owner, names in known.items() for name in names)
            names = [n for owner_names in known.values() for n in owner_names]
            raise UserError(
                f"--set {key}: {'several plugins have' if takers else 'no plugin in use has'} this option",
                expected=", ".join(every) or "no options: none of the plugins in use has any",
                remedy=f"write {takers[0]}.{bare}=…" if takers else f"{did_you_mean(bare, names)}correct --set",
            )
        values[takers[0]][bare] = _convert(key, text, known[takers[0]][bare])
    return {owner: declared(**values[owner]) for owner, declared in owners.items()}


def _types(declared: type) -> dict[str, Any]:
    if not is_dataclass(declared):
        raise TypeError(f"{declared!r} must be a dataclass")
    hints = get_type_hints(declared)
    return {f.name: hints[f.name] for f in fields(declared)}


def _convert(key: str, text: str, kind: Any) -> Any:
    origin, choices = get_origin(kind), get_args(kind)
    if origin is Literal:
        for choice in choices:
            if text == str(choice):
                return choice
        raise _unfit(key, text, "one of " + ", ".join(map(str, choices)), did_you_mean(text, list(map(str, choices))))
    if origin in (Union, types.UnionType):
        if type(None) in choices and text.casefold() == "none":
            return None
        return _convert(key, text, next(c for c in choices if c is not type(None)))
    if kind is bool:
        if text.casefold() in ("true", "yes", "1", "false", "no", "0"):
            return text.casefold() in ("true", "yes", "1")
        raise _unfit(key, text, "true or false")
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise _unfit(key, text, "a whole number" if kind is int else "a number") from None
    return text


def _unfit(key: str, text: str, expected: str, hint: str = "") -> UserError:
    return UserError(f"--set {key}={text} does not fit", expected=expected, found=text, remedy=hint + "correct --set")
