"""What a copy of RAF-DB lists: one entry an image, and a problem wherever a label cannot be trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from coabench.support.images import SUFFIXES
from coabench.support.verification import Problem

Subset = Literal["basic", "compound"]

WIDTHS: dict[Subset, dict[str, int]] = {"basic": {"train": 5, "test": 4}, "compound": {"train": 4, "test": 3}}
"""Digits in the file names, by subset and split: the only thing that tells the names of the subsets apart."""

ProblemKind = Literal["unreadable", "code", "duplicate", "split", "subset", "contradiction"]


class Stem(NamedTuple):
    """The name of an image as written, without ``_aligned`` and extension: ``test_001``.

    The digits stay a string: ``test_001`` (compound) and ``test_0001`` (basic) are different people.
    """

    text: str
    split: str
    digits: str

    def fits(self, subset: Subset) -> bool:
        """Return whether the name has as many digits as the official names of this subset."""
        return len(self.digits) == WIDTHS[subset][self.split]


def parse_name(name: str) -> Stem | None:
    """Return the stem of an image's file name, or None where it is no RAF-DB name."""
    path = PurePosixPath(name)
    bare = (path.stem if path.suffix.lower() in SUFFIXES else name).removesuffix("_aligned")
    match = re.fullmatch(r"(train|test)_([0-9]+)", bare)
    return Stem(bare, match[1], match[2]) if match else None


@dataclass(frozen=True)
class Entry:
    """A labelled image; *image* is its path relative to the data root, whether or not a file is there."""

    stem: Stem
    label: str
    image: str


@dataclass
class Listing:
    """Every entry of a subset, by stem, and every problem on the way."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, entry: Entry, where: str) -> None:
        """Add an entry; a second one for the same image is a problem."""
        first = self.entries.setdefault(entry.stem.text, entry)
        if first is not entry:
            found = f"{entry.stem.text} again, first {first.label}, now {entry.label}"
            self.report("duplicate", where, "every image once", found)

    def report(self, kind: ProblemKind, where: str, expected: str, found: str) -> None:
        self.problems.append(Problem(kind, where, expected, found))
