"""What plugins register: a registry for each kind, of names with lazy targets, and the details that a kind may have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coabench.base.collector import collector_paused
from coabench.base.packages import reinstalling
from coabench.base.resources import out_of_memory
from coabench.base.signals import is_interrupt
from coabench.base.vocabulary import FIGURE_FORMATS
from coabench.errors import CoabenchError, UserError, did_you_mean, with_type

KINDS = (
    "backbones", "strategies", "datasets", "detectors", "metrics", "sections", "parsers", "transforms", "rewrites",
    "executors",
)  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""What a registered name looks like: it is typed on the command line, before a colon."""
TARGET = re.compile(r"[\w.]+:\w+")
"""What a target looks like."""


@dataclass(frozen=True)
class Registration:
    """What a plugin registered under a name; the target is imported when it is used."""

    name: str
    target: str
    plugin: str
    version: str
    description: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """Import and return the target; `UserError` where that fails, but for want of memory."""
        module, _, attribute = self.target.partition(":")
        try:
            with collector_paused():
                return getattr(importlib.import_module(module), attribute)
        except CoabenchError:
            raise
        except BaseException as error:
            if is_interrupt(error) or out_of_memory(error):  # of which the plugin is innocent
                raise
            raise UserError(
                f"{self.name!r} of plugin {self.plugin!r} cannot be imported",
                expected=f"{attribute!r} in module {module!r}",
                found=with_type(error),
                remedy=reinstalling(error) or f"install what is missing, or report it to the author of {self.plugin!r}",
            ) from error

    def open(self, *arguments: Any) -> Any:
        """Return what the target makes of the arguments; it gets copies, which are its own to change."""
        return self.load()(*deepcopy(arguments))


class Registry(Mapping[str, Registration]):
    """The registrations of one kind, by name."""

    def __init__(self, kind: str, left_out: Callable[[], Sequence[str]] = tuple) -> None:
        """Begin an empty registry; *left_out* returns the plugins that failed: one of them may have what is missing."""
        self.kind = kind
        self._left_out = left_out
        self._entries: dict[str, Registration] = {}

    def __getitem__(self, name: str) -> Registration:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[Registration]) -> None:
        self._entries.update({entry.name: entry for entry in entries})

    def remove(self, name: str) -> None:
        del self._entries[name]

    def find(self, name: str) -> Registration:
        """Return the registration of *name*; `UserError` with the closest name where there is none."""
        if name not in self:
            failed = ", ".join(self._left_out())
            raise UserError(
                f"there is no {singular(self.kind)} named {name!r}",
                expected=", ".join(self) or "none is registered",
                remedy=f"{did_you_mean(name, list(self))}`coabench list` shows what there is"
                + (f"; `coabench plugins list` says why the plugin {failed} is left out" if failed else ""),
            )
        return self[name]


def singular(kind: str) -> str:
    """Return "data set" for "datasets", and so on."""
    return {"strategies": "strategy", "datasets": "data set"}.get(kind, kind.rstrip("s"))


@dataclass(frozen=True)
class Detail:
    """Something that registrations of a kind may say beside their name, target and description.

    Attributes:
        valid: whether a value can be used.
        problem: what is wrong with a value that cannot; ``{value}`` and ``{name}`` (of the registration) stand in it.
        alias: what the value is called where it is a second name, which no other registration of the kind may have.
    """

    name: str
    kind: str
    valid: Callable[[Any], bool]
    problem: str
    alias: str = ""


def _texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(item, str) for item in value)


def _target(value: Any) -> bool:
    return isinstance(value, str) and TARGET.fullmatch(value) is not None


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _optional_text(value: Any) -> bool:
    return isinstance(value, str | None)


def _figure_format(value: Any) -> bool:
    return value in FIGURE_FORMATS


def _file(value: Any) -> bool:
    return value is None or (isinstance(value, str | Path) and Path(value).is_file())


DETAILS = (
    Detail("available", "detectors", _target, "the check of {name!r} is {value!r}; it must be 'module:attribute'"),
    Detail("loaded", "backbones", _target, "loaded={value!r} of {name!r} is no 'module:attribute'"),
    Detail("available", "executors", _target, "the check of {name!r} is {value!r}; it must be 'module:attribute'"),
    Detail("variants", "strategies", _texts, "variants={value!r} of {name!r} is no tuple of texts"),
    Detail("weights", "detectors", _texts, "weights={value!r} of {name!r} is no tuple of texts"),
    Detail("libraries", "detectors", _texts, "libraries={value!r} of {name!r} is no tuple of texts"),
    Detail("rank", "detectors", _number, "rank={value!r} of {name!r} is no number"),
    Detail("card", "datasets", _file, "the card of {name!r} is not there: {value}"),
    Detail("short", "datasets", _optional_text, "short={value!r} of {name!r} is no text", alias="short name"),
    Detail("title", "metrics", _optional_text, "title={value!r} of {name!r} is no text"),
    Detail("format", "metrics", _figure_format, "format={value!r} of {name!r} is none of " + ", ".join(FIGURE_FORMATS)),
)
"""The details that the bench reads; docs/reference/plugins.md has a row for each."""


def invalid_parts(kind: str, entry: Registration) -> Iterator[str]:
    """Yield what about a registration cannot be used, in words."""
    name = entry.name
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.endswith((".yaml", ".yml")):
        yield f"the name {name!r} cannot be typed; names have letters, digits and . _ + -, and no file's ending"
    if not _target(entry.target):
        yield f"the target of {name!r} is {entry.target!r}; it must be 'module:attribute'"
    if not isinstance(entry.description, str):
        yield f"the description of {name!r} is no text"
    for detail in DETAILS:
        if detail.kind == kind and detail.name in entry.details:
            value = entry.details[detail.name]
            if not detail.valid(value):
                yield detail.problem.format(name=name, value=value)


def alias_taken(kind: str, entry: Registration, others: Iterable[Registration]) -> tuple[str, Registration] | None:
    """Return what a second name of *entry* is called and who of *others* has it already; None where nobody has."""
    for detail in DETAILS:
        value = entry.details.get(detail.name)
        if detail.kind == kind and detail.alias and value:
            for other in others:
                if value in (other.name, other.details.get(detail.name)):
                    return f"{detail.alias} {value!r}", other
    return None
