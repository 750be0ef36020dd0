"""The options of a command as a sheet spells them: their names, the kinds of their values, and the command line.

Names are those of the command line with underscores. They and their kinds are read off the request of the command
(`coabench.evaluation.plan.Evaluation`, say), so an option that is added there can be swept the same day.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from coabench.base.reading import user_path
from coabench.base.schema import At, NotEmpty, Read, Text, read_value
from coabench.training.stages import Rate

Settings = Mapping[str, Any]
"""Option -> value; ``set`` is a mapping of its own, plugin option -> text."""

SET = "set"
NAMED = ("backbone", "strategy", "dataset")
"""The options that say what a job is about: its command line has them even where they are the defaults."""


def _expand_home(text: str) -> str:
    """Do what the shell does on a command line."""
    return str(user_path(text)) if text.startswith("~") else text


def _assigned(value: object) -> str:
    return str(value).casefold() if value is None or isinstance(value, bool) else str(value)


def _several(said: str | tuple[str, ...]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said


Word = Annotated[Text, Read(_expand_home)]
Words = Annotated[tuple[Word, ...], Read(_several, Word | tuple[Word, ...]), NotEmpty]
"""One, or a list of those that belong together."""
Parts = Annotated[Word, Read(lambda text: ",".join(part.strip() for part in text.split(",")))]
"""Several that stand in one text with commas between, as they are typed."""
Assigned = Annotated[str, Read(_assigned, str | int | float | bool | None)]
"""The value of a plugin's option, as it would be typed after ``--set option=``."""
_READ = {str: Word, Path: Annotated[Path, Read(Path, Word)], float: Rate, tuple: Parts}
"""Type of an option -> how a sheet has it."""


def kind_in_sheet(hint: Any) -> Any:
    """Return the type hint of an option as sheets have it: without what only Python can pass."""
    if get_origin(hint) is Mapping:
        return GenericAlias(Mapping, (str, kind_in_sheet(get_args(hint)[1])))
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    read = {m: _READ.get(get_origin(m) or m, m) for m in members}
    plain = (*_READ, int, bool, type(None), Literal, Annotated)
    return reduce(or_, [kind for m, kind in read.items() if (get_origin(m) or m) in plain])


@dataclass(frozen=True)
class Options:
    """The options of a command.

    Attributes:
        command: its name.
        kinds: option -> the type hint of its values in a sheet, in the order of the command line.
        defaults: option -> value.
        refused: what the command offers and a sweep decides itself, with the reason.
        off: what switches an option off where it is not spelt ``--no-…``.
    """

    command: str
    kinds: Mapping[str, Any]
    defaults: Settings
    refused: Mapping[str, str]
    off: Mapping[str, str] = field(default_factory=dict)

    def read(self, data: Mapping[str, Any], at: At, further: Sequence[str] = ()) -> dict[str, Any]:
        """Return the options that a mapping holds.

        Args:
            data: what the sheet holds.
            at: its position.
            further: other fields that it may hold; they are left out of the result.

        Raises:
            UserError: an option that there is none of, or a value of the wrong kind or out of its range.
        """
        return {
            name: read_value(self.kind_of(name, at, further), value, at.field(name))
            for name, value in data.items()
            if name not in further
        }

    def kind_of(self, name: str, at: At, further: Sequence[str] = ()) -> Any:
        """Return the kind of values that an option has; `UserError` for a name that is none's."""
        if name in self.refused:
            raise at.wrong(f"{name!r} cannot be set here", self.refused[name], remedy=f"leave {name!r} out")
        if name not in self.kinds:
            raise at.unknown(name, [*self.kinds, *further], "option")
        return self.kinds[name]

    def line(self, settings: Settings, output: Path | None) -> tuple[str, ...]:
        """Return the command line that complete settings stand for; defaults are left out."""
        words = ["coabench", self.command]
        for name, value in settings.items():
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, Mapping):
                words += [word for key, text in value.items() for word in (option, f"{key}={text}")]
            elif name in NAMED or value != self.defaults[name]:
                words += self._option(name, option, value)
        return (*words, *(("--output", str(output)) if output else ()))

    def _option(self, name: str, option: str, value: Any) -> list[str]:
        if isinstance(value, bool):
            return [option if value else f"--{self.off.get(name, f'no-{name}')}"]
        return [word for each in (value if isinstance(value, tuple) else [value]) for word in (option, str(each))]


def merged(*layers: Settings) -> dict[str, Any]:
    """Return settings merged, a later layer over an earlier one; within a mapping, option by option."""
    made: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            made[name] = {**made.get(name, {}), **value} if isinstance(value, Mapping) else value
    return made


def matches(settings: Settings, pattern: Settings) -> bool:
    """Whether settings have all the values that a pattern names."""
    return all(
        all(settings[name].get(option) == text for option, text in value.items())
        if isinstance(value, Mapping)
        else settings[name] == value
        for name, value in pattern.items()
    )
