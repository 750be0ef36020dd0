"""Reading a set that `make.make_set` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from coabench.base.json import parse_json
from coabench.errors import UserError
from coabench.support.tree import Tree

SAMPLES, SET, LICENCE = "samples.jsonl", "set.json", "LICENCE.txt"
"""The files beside ``images/``."""

HOW_TO_MAKE = (
    "make a set with `coabench synthface make DIR` and give it as --data-root DIR, "
    "or leave --data-root away to use the set that comes with coabench"
)

_FIELDS: Mapping[str, type] = {
    "id": str, "file": str, "subset": str, "split": str, "target": str, "sha256": str, "attributes": dict,
}  # fmt: skip


Numbered = tuple[tuple[int, Mapping[str, Any]], ...]
"""Lines of the list, each with its place in it, from 0."""


@dataclass(frozen=True)
class SetFolder:
    """A set on this machine, in a folder or packed: its description and the lines of its list.

    Attributes:
        trusted: whether its list is ours, so that lines of other halves need not be looked at.
    """

    files: Tree
    trusted: bool = False
    _halves: dict[tuple[str, str], Numbered] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """What ``set.json`` says; `UserError` where it is absent or makes no sense."""
        path = self.files.root / SET
        try:
            data = parse_json(self.files.read(SET))
        except FileNotFoundError:
            unfinished = any(name == SAMPLES or name.startswith("images/") for name in self.files.names())
            raise UserError(
                f"{self.files.root} holds no set of synthetic faces",
                expected=f"{SET}, which is written when a set is complete",
                found="the beginning of an unfinished set" if unfinished else "no such file",
                remedy=HOW_TO_MAKE,
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read", found=str(error), remedy=HOW_TO_MAKE) from None
        if not isinstance(data, dict) or data.get("schema") != 1 or not isinstance(data.get("counts"), dict):
            raise UserError(
                f"{path} does not describe a set of synthetic faces",
                expected="schema 1, with counts",
                found=f"schema {data.get('schema')}" if isinstance(data, dict) else type(data).__name__,
                remedy=HOW_TO_MAKE,
            )
        return data

    @cached_property
    def samples(self) -> tuple[Mapping[str, Any], ...]:
        """The lines of ``samples.jsonl``; `UserError` naming the first that cannot be read."""
        return tuple(self._parsed(place, line) for place, line in enumerate(self._lines))

    def half(self, subset: str, split: str) -> Numbered:
        """Return the lines of one half and split; errors as `samples`."""
        if (subset, split) not in self._halves:
            read = self._those_that_name(subset, split) if self.trusted else enumerate(self.samples)
            self._halves[subset, split] = tuple(
                (place, data) for place, data in read if (data["subset"], data["split"]) == (subset, split)
            )
        return self._halves[subset, split]

    def _those_that_name(self, *words: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield the lines that hold these strings: most are of another half, and to parse one takes 40 µs."""
        for place, line in enumerate(self._lines):
            if all(f'"{word}"' in line for word in words):
                yield place, self._parsed(place, line)

    @cached_property
    def _lines(self) -> list[str]:
        try:
            return self.files.read(SAMPLES).decode().splitlines()
        except (OSError, ValueError) as error:
            where = self.files.root / SAMPLES
            raise UserError(f"{where} cannot be read", found=str(error), remedy=HOW_TO_MAKE) from None

    def _parsed(self, place: int, line: str) -> Mapping[str, Any]:
        return _parse(line, f"{self.files.root / SAMPLES}, line {place + 1}")


def _parse(line: str, where: str) -> Mapping[str, Any]:
    try:
        data = parse_json(line)
    except ValueError as error:
        raise UserError(f"{where} is no JSON", found=str(error), remedy="make the set anew") from None
    fits = isinstance(data, dict) and all(isinstance(data.get(key), kind) for key, kind in _FIELDS.items())
    if not fits or Path(data["file"]).is_absolute() or ".." in Path(data["file"]).parts:
        raise UserError(
            f"{where} does not describe a picture",
            expected=f"an object with {', '.join(_FIELDS)}; the file inside the folder",
            found=line[:80],
            remedy="make the set anew",
        )
    places = data.get("landmarks")
    if places is not None and not (isinstance(places, list) and len(places) == 5 and all(map(_is_point, places))):
        raise UserError(
            f"{where} does not say where the face's landmarks are",
            expected="five points, each [x, y] in pixels",
            found=str(places)[:80],
            remedy="make the set anew",
        )
    parsed: Mapping[str, Any] = data
    return parsed


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) in (int, float) for each in value)
