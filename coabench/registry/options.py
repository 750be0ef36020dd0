"""Plugin options: ``--set key=value`` into the dataclasses that plugins declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from coabench.base.schema import At, from_text, read_value
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
        kind = known[takers[0]][bare]
        values[takers[0]][bare] = read_value(kind, from_text(kind, text), At(f"--set {key}={text}", "correct --set"))
    return {owner: declared(**values[owner]) for owner, declared in owners.items()}


def _types(declared: type) -> dict[str, Any]:
    if not is_dataclass(declared):
        raise TypeError(f"{declared!r} must be a dataclass")
    hints = get_type_hints(declared, include_extras=True)
    return {f.name: hints[f.name] for f in fields(declared)}
