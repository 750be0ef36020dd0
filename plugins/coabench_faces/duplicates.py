"""Rows that name one image, and ids that only the ending of a file's name tells apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from coabench.support.tree import TreeFile
from coabench.support.verification import Problem
from coabench_faces.entry import Entry

Duplicates = Literal["first", "drop-contradictions", "refuse"]
"""The first row counts; it does unless the rows disagree, then none does; or the split is refused."""

LATER = "a later row of an image"
CONTRADICTING = "rows of an image that contradict each other"


def with_endings(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries whose ids are paths without their ending; where that makes one of two, both keep it."""
    paths: dict[str, set[str]] = {}
    for entry in entries:
        paths.setdefault(entry.id, set()).add(entry.image.name)
    return [
        replace(entry, id=entry.image.name) if isinstance(entry.image, TreeFile) and len(paths[entry.id]) > 1 else entry
        for entry in entries
    ]


def without_duplicates(
    entries: Iterable[Entry], choice: Duplicates, left_out: Counter[str], problems: list[Problem]
) -> list[Entry]:
    """Return one entry an image at most, as the card's ``duplicates`` says; count or report the others."""
    rows: dict[str, list[Entry]] = {}
    for entry in entries:
        rows.setdefault(_image(entry), []).append(entry)
    kept = []
    for first, *others in rows.values():
        agree = all((other.label, other.split) == (first.label, first.split) for other in others)
        if choice == "drop-contradictions" and not agree:
            left_out[CONTRADICTING] += 1 + len(others)
            continue
        kept.append(first)
        if choice != "refuse":
            left_out[LATER] += len(others)
            continue
        for other in others:
            found = f"{other.label} in {other.split}; in {first.where} {first.label} in {first.split}"
            problems.append(Problem("duplicate", other.where, "every image once", found))
    return kept


def _image(entry: Entry) -> str:
    """Return what tells images apart: the path of a file, else the content."""
    if isinstance(entry.image, TreeFile):
        return f"file {entry.image.name}"
    return hashlib.sha256(entry.image.read()).hexdigest()
