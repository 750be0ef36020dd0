"""The options of ``coabench evaluate`` as a sheet spells them: their names, the kinds of their values, a run's request.

Names are those of the command line with underscores. They and their kinds are read off
`coabench.evaluation.plan.Evaluation`, so an option that is added there can be swept the same day.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from coabench.base.reading import user_path
from coabench.base.schema import At, Read, Text, read_value
from coabench.evaluation.plan import Evaluation
from coabench.registry.defaults import BACKBONE, DATASET, STRATEGY

Settings = Mapping[str, Any]
"""Option -> value; ``set`` is a mapping of its own, plugin option -> text."""

SET = "set"
OURS = {
    "output": "each run has a folder of its own below the sweep's 'output'",
    "overwrite": "a sweep deletes nothing: delete the folders of the runs that are to be made anew",
    "folds": "each fold is a run: make 'fold' an axis, as in fold: [1/3, 2/3, 3/3]",
}
"""What ``coabench evaluate`` offers and a sweep decides itself, with the reason."""
EMBEDDED = {"backbone": BACKBONE, "strategy": STRATEGY, "dataset": DATASET}
"""What is evaluated where nothing else is said, as on the command line."""


def _expand_home(text: str) -> str:
    """Do what the shell does on a command line."""
    return str(user_path(text)) if text.startswith("~") else text


def _assigned(value: object) -> str:
    return str(value).casefold() if value is None or isinstance(value, bool) else str(value)


Word = Annotated[Text, Read(_expand_home)]
Assigned = Annotated[str, Read(_assigned, str | int | float | bool | None)]
"""The value of a plugin's option, as it would be typed after ``--set option=``."""


def _kind(hint: Any) -> Any:
    """Return the type hint of an option as sheets have it: without what only Python can pass."""
    as_text = {str: Word, Path: Annotated[Path, Read(Path, Word)]}
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    read = [m for m in members if m in (*as_text, int, bool, type(None)) or get_origin(m) in (Literal, Annotated)]
    return reduce(or_, [as_text.get(m, m) for m in read])


_FIELDS = {f.name: f for f in fields(Evaluation) if f.name not in (*OURS, "command", "options")}
OPTIONS = (*_FIELDS, SET)
"""The names of all options, in the order of the command line."""
_HINTS = get_type_hints(Evaluation, include_extras=True)
KINDS: Mapping[str, Any] = {name: _kind(_HINTS[name]) for name in _FIELDS} | {SET: Mapping[str, Assigned]}
"""Option -> the type hint of its values in a sheet."""
DEFAULTS: Settings = {
    **{name: EMBEDDED[name] if f.default is MISSING else f.default for name, f in _FIELDS.items()},
    SET: {},
}


def read_settings(data: Mapping[str, Any], at: At, further: Sequence[str] = ()) -> dict[str, Any]:
    """Return the options that a mapping holds.

    Args:
        data: what the sheet holds.
        at: its position.
        further: other fields that it may hold; they are left out of the result.

    Raises:
        UserError: an option that there is none of, or a value of the wrong kind or out of its range.
    """
    return {
        name: read_value(kind_of(name, at, further), value, at.field(name))
        for name, value in data.items()
        if name not in further
    }


def kind_of(name: str, at: At, further: Sequence[str] = ()) -> Any:
    """Return the kind of values that an option has; `UserError` for a name that is none's."""
    if name in OURS:
        raise at.wrong(f"{name!r} cannot be set here", OURS[name], remedy=f"leave {name!r} out")
    if name not in KINDS:
        raise at.unknown(name, [*OPTIONS, *further], "option")
    return KINDS[name]


def merged(*layers: Settings) -> dict[str, Any]:
    """Return settings merged, a later layer over an earlier one; under ``set``, option by option."""
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
            for each in value if isinstance(value, tuple) else [value]:
                words += [option] if each is True else [option, str(each)]
    for option, text in (request.options or {}).items():
        words += ["--set", f"{option}={text}"]
    return (*words, *(("--output", str(request.output)) if request.output else ()))
