"""Reading a YAML mapping safely, with errors that name the file and the line.

A file is looked through before anything is made of it: `_Outline` bounds how deep and how large it is, aliases counted
as what they stand for, and refuses what YAML 1.1 would read as something else than people mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from coabench.base.reading import read_text, why
from coabench.errors import UserError

DEPTH = 32
"""How deep lists and mappings may lie in one another."""
VALUES = 200_000
"""How many values a file may hold."""

_SURPRISE = re.compile(r"[-+]?0[0-7_]+|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*")
"""Plain scalars that are octal or sexagesimal numbers to YAML 1.1: 010 is 8, and 1:30 is 90."""


class _Refused(ValueError):
    """What is no good, and the line that it stands in, counted from 0."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line + 1}: {problem}")


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Args:
        path: the file.
        what: what the file is, for error messages ("prompt file").

    Raises:
        UserError: the file cannot be read, or `parse_yaml` refuses it.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise UserError(f"the {what} {path} cannot be read", found=why(error), remedy="check the path") from None
    return parse_yaml(text, f"the {what} {path}", "correct the file")


def parse_yaml(text: str, subject: str, remedy: str) -> dict[str, Any]:
    """Return the mapping that a text holds.

    Args:
        subject, remedy: what is read, and what to do, for error messages.

    Raises:
        UserError: it is no YAML, is too deep or too large, has a key twice or a number that YAML reads otherwise than
            people do, or holds something else than a mapping.
    """
    import yaml

    # libyaml's safe loader where there is one: it reads a shelf of cards ten times as fast.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if "\\ud" in text.casefold():
        # libyaml takes no surrogates, as which bytes that are no UTF-8 stand in the name of a folder; see
        # `coabench.base.names`.
        loader = yaml.SafeLoader
    try:
        _Outline().check(yaml.parse(text, Loader=loader))
        data = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        found = f"{line}{getattr(error, 'problem', None) or error}"
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:  # a date that there is none of, say
        found = str(error)
    else:
        if isinstance(data, dict):
            return data
        raise UserError(
            f"{subject} holds no fields", expected="a YAML mapping", found=type(data).__name__, remedy=remedy
        )
    raise UserError(f"{subject} is not valid YAML", found=found, remedy=remedy)


class _Size(NamedTuple):
    """How many values there are, and how deep they lie in one another."""

    values: int = 1
    depth: int = 0


class _Collection:
    """A list or a mapping that is being read."""

    def __init__(self, anchor: str | None, is_mapping: bool) -> None:
        self.anchor, self.is_mapping = anchor, is_mapping
        self.values, self.below, self.entries = 1, 0, 0
        self.keys: set[str] = set()

    def add(self, size: _Size) -> None:
        self.values, self.below, self.entries = self.values + size.values, max(self.below, size.depth), self.entries + 1

    @property
    def at_key(self) -> bool:
        return self.is_mapping and self.entries % 2 == 0


class _Outline:
    """The form of a file, from its events: they come one after another, however deep it is."""

    def __init__(self) -> None:
        self._open: list[_Collection] = []
        self._anchored: dict[str, _Size] = {}

    def check(self, events: Iterator[Any]) -> None:
        """Raise `_Refused` where the form is no good."""
        import yaml

        for event in events:
            line = event.start_mark.line
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(_Collection(event.anchor, isinstance(event, yaml.MappingStartEvent)))
                self._bound(line, _Size(0, len(self._open)))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                self._end(line, done.anchor, _Size(done.values, done.below + 1))
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(line, event)
                self._end(line, event.anchor, _Size())
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor in self._anchored:  # else it is undefined, which the loader says, or open
                    self._end(line, None, self._anchored[event.anchor])
                elif any(each.anchor == event.anchor for each in self._open):
                    raise _Refused(line, f"*{event.anchor} stands in itself")

    def _end(self, line: int, anchor: str | None, size: _Size) -> None:
        if anchor is not None:
            self._anchored[anchor] = size
        if self._open:
            self._open[-1].add(size)
            self._bound(line, _Size(self._open[-1].values, len(self._open) + size.depth))

    def _bound(self, line: int, size: _Size) -> None:
        if size.depth > DEPTH:
            raise _Refused(line, f"lists or mappings in one another, more than {DEPTH} deep")
        if size.values > VALUES:
            raise _Refused(line, f"more than {VALUES:,} values, aliases counted as what they stand for")

    def _scalar(self, line: int, event: Any) -> None:
        plain = (event.implicit[0] and event.style is None) or event.style == ""
        if plain and _SURPRISE.fullmatch(event.value) and event.value != "0":
            raise _Refused(line, f"{event.value} is no decimal number to YAML; in quotes it is a text")
        if self._open and self._open[-1].at_key and event.value != "<<":
            if event.value in self._open[-1].keys:
                raise _Refused(line, f"the key {event.value!r} twice")
            self._open[-1].keys.add(event.value)
