"""The options of ``coabench evaluate`` as a sheet spells them: their names, the kinds of their values, a run's request.

Names are those of the command line with underscores. They and their kinds are read off
`coabench.evaluation.job.Evaluation`, so an option that is added there can be swept the same day.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from coabench.errors import UserError, did_you_mean
from coabench.evaluation.plan import Evaluation
from coabench.registry.defaults import BACKBONE, DATASET, DTYPES, STRATEGY

Settings = Mapping[str, Any]
"""Option -> value; ``set`` is a mapping of its own, plugin option -> text."""

SET = "set"
OURS = {
    "output": "each run has a folder of its own below the sweep's 'output'",
    "overwrite": "a sweep deletes nothing: delete the folders of the runs that are to be made anew",
}
"""What ``coabench evaluate`` offers and a sweep decides itself, with the reason."""
EMBEDDED = {"backbone": BACKBONE, "strategy": STRATEGY, "dataset": DATASET}
"""What is evaluated where nothing else is said, as on the command line."""
CHOICES = {"dtype": DTYPES}
AT_LEAST_ONE = ("limit", "batch_size")

_HINTS = get_type_hints(Evaluation)
_FIELDS = {f.name: f for f in fields(Evaluation) if f.name not in (*OURS, "command", "options")}
OPTIONS = (*_FIELDS, SET)
"""The names of all options, in the order of the command line."""
DEFAULTS: Settings = {
    **{name: EMBEDDED[name] if f.default is MISSING else f.default for name, f in _FIELDS.items()},
    SET: {},
}


def read_settings(data: Any, where: str, *, further: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the options that a mapping gives.

    Args:
        data: what the sheet holds.
        where: the place in the sheet, for error messages.
        further: other fields that may stand there; they are left out of the result.

    Raises:
        UserError: no mapping, an option that there is none of, or a value of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{where} cannot be read", expected="a mapping, option: value", found=told(data))
    return {
        name: read_value(name, value, f"{where}: {name}")
        for name, value in data.items()
        if name not in (further or {}) and known(name, where, further)
    }


def known(name: Any, where: str, further: Mapping[str, str] | None = None) -> bool:
    """Return True for the name of an option; `UserError` for anything else."""
    if name in OPTIONS:
        return True
    if name in OURS:
        raise UserError(f"{where}: {name!r} cannot be set here", expected=OURS[name], remedy=f"leave {name!r} out")
    names = [*OPTIONS, *(further or {})]
    raise UserError(
        f"{where}: there is no option {name!r}",
        expected=", ".join(names),
        remedy=f"{did_you_mean(str(name).replace('-', '_'), names)}correct the sheet",
    )


def read_value(name: str, value: Any, where: str) -> Any:
    """Return the value of an option.

    Raises:
        UserError: it is of the wrong kind, or out of its range.
    """
    if name == SET:
        if not isinstance(value, Mapping):
            raise UserError(f"{where} cannot be read", expected="a mapping, option: value", found=told(value))
        return {str(option): read_assignment(text, f"{where}.{option}") for option, text in value.items()}
    kind, words = _HINTS[name], tuple[str, ...]()
    if get_origin(kind) in (Union, types.UnionType):
        kinds = get_args(kind)
        if value is None and type(None) in kinds:
            return None
        words = tuple(word for k in kinds if get_origin(k) is Literal for word in get_args(k))
        kind = next(k for k in kinds if k is not type(None))
    if isinstance(value, str) and value in words:
        return value
    choices = get_args(kind) if get_origin(kind) is Literal else CHOICES.get(name)
    if choices is not None:
        if value in choices and isinstance(value, str):
            return value
        hint = did_you_mean(value, list(choices)) if isinstance(value, str) else ""
        raise UserError(f"{where} does not fit", expected=" or ".join(choices), found=told(value),
                        remedy=f"{hint}correct the sheet")  # fmt: skip
    expected, fits = {
        bool: ("true or false", isinstance(value, bool)),
        int: ("a whole number", isinstance(value, int) and not isinstance(value, bool)),
        str: ("text", isinstance(value, str) and bool(value)),
        Path: ("a path", isinstance(value, str) and bool(value)),
    }[kind]
    if fits and name in AT_LEAST_ONE and value < 1:
        expected, fits = "1 or more", False
    expected = " or ".join([expected, *words])
    if not fits:
        quote = isinstance(value, bool | int | float) and kind in (str, Path)
        raise UserError(f"{where} does not fit", expected=expected, found=told(value),
                        remedy="put it in quotation marks" if quote else "correct the sheet")  # fmt: skip
    if isinstance(value, str) and value.startswith("~"):  # which the shell does on a command line
        value = str(Path(value).expanduser())
    return Path(value) if kind is Path else value


def read_assignment(value: Any, where: str) -> str:
    """Return the value of a plugin's option as it would be typed after ``--set option=``."""
    if value is None or isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, str | int | float):
        return str(value)
    raise UserError(f"{where} does not fit", expected="text, a number, true or false", found=told(value))


def laid(*layers: Settings) -> dict[str, Any]:
    """Return settings laid over one another, the later on top; under ``set``, option by option."""
    made: dict[str, Any] = {}
    for layer in layers:
        assigned = {**made.get(SET, {}), **layer.get(SET, {})}
        made |= {**layer, SET: assigned}
    return made


def matches(settings: Settings, pattern: Settings) -> bool:
    """Whether settings have all the values that a pattern names."""
    return all(
        all(settings[SET].get(option) == text for option, text in value.items())
        if name == SET
        else settings[name] == value
        for name, value in pattern.items()
    )


def request_of(settings: Settings, output: Path | None = None) -> Evaluation:
    """Return the request that complete settings describe, with the command line that would do the same."""
    rest = {name: value for name, value in settings.items() if name != SET}
    request = Evaluation(**rest, options=dict(settings[SET]), output=output)
    return replace(request, command=command_of(request))


def command_of(request: Evaluation) -> tuple[str, ...]:
    """Return the ``coabench evaluate`` command of a request, as a run's manifest has it; defaults are left out."""
    words = ["coabench", "evaluate"]
    for name, field in _FIELDS.items():
        value = getattr(request, name)
        if field.default is MISSING or value != field.default:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    for option, text in (request.options or {}).items():
        words += ["--set", f"{option}={text}"]
    return (*words, *(("--output", str(request.output)) if request.output else ()))


def told(value: Any) -> str:
    """Return a value of the sheet for people."""
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return kinds.get(type(value), f"{value!r}")
