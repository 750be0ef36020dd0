"""Plugin options: ``--set key=value`` into the dataclasses that plugins declare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_origin, get_type_hints

from coabench.base.json import parse_json
from coabench.base.schema import At, Read, from_text, read_value
from coabench.errors import UserError, did_you_mean

T = TypeVar("T")

Specs = Annotated[tuple[str, ...], Read(lambda said: (said,) if isinstance(said, str) else said, str | tuple[str, ...])]
"""``NAME:key=value,…`` of several components, of which a single one may stand without brackets."""


def parse_assignments(pairs: Sequence[str], option: str = "--set") -> dict[str, str]:
    """Return ``["a=1", "b=x"]`` as a mapping; `UserError`, naming the *option*, for anything else, two values too."""
    result: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UserError(
                f"{option} {pair!r} cannot be read", expected=f"{option} key=value", remedy="write key=value"
            )
        if result.setdefault(key.strip(), value.strip()) != value.strip():
            raise UserError(
                f"{option} {key.strip()} has two values",
                found=f"{result[key.strip()]} and {value.strip()}",
                remedy="leave out one of the two",
            )
    return result


def parse_component(text: str, option: str) -> tuple[str, dict[str, str]]:
    """Return ``NAME:key=value,key=value`` as the name and its parameters.

    A comma that no ``key=`` follows belongs to the value. Keys are spelt as options are: ``min-face``.

    Raises:
        UserError: there is no name, a parameter without a value, or one twice; it names the *option*.
    """
    name, colon, rest = text.partition(":")
    parameters = _parameters(rest, f"{option} {text!r}", option) if colon else {}
    if not name.strip() or "=" in name or parameters is None:
        raise UserError(
            f"{option} {text!r} cannot be read",
            expected="NAME, or NAME:key=value,key=value",
            remedy=f"correct {option}",
        )
    return name.strip(), parameters


def parse_parameters(text: str, option: str) -> dict[str, str]:
    """Return ``key=value,key=value`` as a mapping, as `parse_component` does."""
    parameters = _parameters(text, f"{option} {text!r}", option)
    if parameters is None:
        raise UserError(
            f"{option} {text!r} cannot be read",
            expected="key=value, or key=value,key=value",
            remedy=f"correct {option}",
        )
    return parameters


def _parameters(text: str, said: str, option: str) -> dict[str, str] | None:
    """Return the parameters, None where one lacks its key or its value; `UserError` where one is there twice."""
    parts = (part.partition("=") for part in re.split(r",(?=\s*[\w-]+\s*=)", text))
    pairs = [(key.strip(), value.strip()) for key, _, value in parts]
    keys = [key.replace("_", "-") for key, _ in pairs]
    if not all(key and value for key, value in pairs):
        return None
    if len({*keys}) < len(keys):
        raise UserError(f"{said} says something twice", found=", ".join(keys), remedy=f"correct {option}")
    return dict(pairs)


def read_parameters(declared: type[T], parameters: Mapping[str, str], option: str) -> T:
    """Return an instance of a dataclass made of the parameters of a component, as they were typed.

    Raises:
        UserError: a parameter that it does not have, or whose value does not fit; it names the *option*.
    """
    known = {name.replace("_", "-"): name for name in _types(declared)}
    values = {}
    for key, text in parameters.items():
        if key.replace("_", "-") not in known:
            raise At(option, f"correct {option}").unknown(key, list(known), "parameter")
        name = known[key.replace("_", "-")]
        kind = _types(declared)[name]
        values[name] = read_value(kind, from_text(kind, text), At(f"{option} {key}={text}", f"correct {option}"))
    return declared(**values)


LATER = {"later": True}
"""The metadata of a field of options that came later than runs of before: an identity leaves out its default."""


def identity_of(parameters: Any) -> dict[str, Any]:
    """Return the parameters of a component, a dataclass, as the identity of a run has them."""
    plain = {each.name: each.default for each in fields(parameters) if each.metadata.get("later")}
    return {key: value for key, value in asdict(parameters).items() if key not in plain or value != plain[key]}


def spell_component(name: str, parameters: object, *, whole: bool = False) -> str:
    """Return how a component is typed: its name, and those of its parameters, a dataclass, that differ from the
    defaults; but for options that came later, all of them where it is to be *whole*."""
    own = {each.name: getattr(parameters, each.name) for each in fields(parameters)}  # type: ignore[arg-type]
    plain = {each.name: each.default for each in fields(parameters)}  # type: ignore[arg-type]
    always = identity_of(parameters) if whole else ()
    typed = [
        f"{key.replace('_', '-')}={_typed(value)}" for key, value in own.items() if key in always or value != plain[key]
    ]
    return f"{name}:{','.join(typed)}" if typed else name


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def distribute(assignments: Mapping[str, str], owners: Mapping[str, type]) -> dict[str, Any]:
    """Give every assignment to the plugin that declares it.

    Args:
        assignments: key -> value, as typed. ``backbone.num_crops`` says whose option is meant. An option that is a
            mapping is filled entry by entry: ``body.top_k=5``, whose value is JSON.
        owners: "backbone", "dataset"… -> the dataclass of its options.

    Returns:
        owner -> an instance of its dataclass.

    Raises:
        UserError: a key that nobody declares, that several declare, or a value of another type.
    """
    known = {owner: _types(declared) for owner, declared in owners.items()}
    values: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for key, text in assignments.items():
        if entry := _entry(key, known):
            owner, mapping, name = entry
            values[owner].setdefault(mapping, {})[name] = _json_value(key, text)
            continue
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


def _entry(key: str, known: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, str] | None:
    """Return the owner, the option and the entry that a key names, where that option is a mapping; else None."""
    for owner, kinds in known.items():
        option, _, name = key.removeprefix(f"{owner}.").partition(".")
        if name and get_origin(kinds.get(option)) is Mapping:
            return owner, option, name
    return None


def _json_value(key: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise UserError(
            f"--set {key}={text} cannot be read",
            expected="a value in JSON, such as true, 3, '\"text\"' or '{\"name\": 1}'",
            found=str(error),
            remedy="correct --set; the quotes of a text are part of it, so put them in quotes for the shell",
        ) from None


def _types(declared: type) -> dict[str, Any]:
    if not is_dataclass(declared):
        raise TypeError(f"{declared!r} must be a dataclass")
    hints = get_type_hints(declared, include_extras=True)
    return {f.name: hints[f.name] for f in fields(declared)}
