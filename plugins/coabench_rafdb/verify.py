"""Checking a copy of RAF-DB against its card: everything that is wrong, not only the first thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from coabench.base.text import plural
from coabench.dataset import Card, Check
from coabench.errors import UserError
from coabench.support.verification import Problem, check, check_counts, check_problems, unread
from coabench_rafdb.attributes import read_attributes
from coabench_rafdb.layout import Layout
from coabench_rafdb.listing import Entry, Listing, ProblemKind, parse_name

_HEADINGS: Mapping[ProblemKind, str] = {
    "unreadable": "label lines that cannot be read",
    "code": "labels that are not on the card",
    "duplicate": "images labelled more than once",
    "split": "images listed under the wrong split",
    "subset": "labels that belong to the other subset",
    "contradiction": "labels that contradict each other",
}


def verify(card: Card, layout: Layout, listing: Listing, *, images: str, notes: Sequence[str]) -> list[Check]:
    """Return the checks of every split, in the order in which they are worth reading.

    Args:
        images: ``aligned`` or ``original``.
        notes: what the user must know about this copy.
    """
    entries = [listing.entries[stem] for stem in sorted(listing.entries)]
    return [
        check("ok", f"{layout.name} layout, {images} images"),
        *(check("warning", note) for note in notes),
        *_labels(listing.problems, entries),
        *(_counts(card, entries, split) for split in card.splits),
        _collisions(entries),
        *_folders(layout, entries),
        *_attributes(layout, entries),
    ]


def _labels(problems: Sequence[Problem], entries: Sequence[Entry]) -> Iterator[Check]:
    yield from check_problems(problems, _HEADINGS)
    if not problems:
        yield check("ok", f"labels: {len(entries):,} read, every one on the card and given once")


def _counts(card: Card, entries: Sequence[Entry], split: str) -> Check:
    return check_counts(card, split, Counter(entry.label for entry in entries if entry.stem.split == split))


def _collisions(entries: Sequence[Entry]) -> Check:
    """Find names that become one when a program reads their digits as a number."""
    by_number: dict[tuple[str, int], list[str]] = {}
    for entry in entries:
        by_number.setdefault((entry.stem.split, int(entry.stem.digits)), []).append(entry.stem.text)
    clashes = [" and ".join(stems) for stems in by_number.values() if len(stems) > 1]
    if clashes:
        return check("error", f"names that differ only in leading zeros: {len(clashes):,}", clashes)
    return check("ok", "names: none differ only in leading zeros")


def _folders(layout: Layout, entries: Sequence[Entry]) -> Iterator[Check]:
    named = {entry.image for entry in entries}
    strays, misplaced = [], []
    for file in layout.on_disk():
        stem = parse_name(file.path.rpartition("/")[2])
        if file.path not in named:
            strays.append(file.path)
        if stem and file.split and stem.split != file.split:
            misplaced.append(f"{file.path}: named {stem.split}, in the folder of {file.split}")
    if misplaced:
        yield check("error", f"images in the folder of the wrong split: {len(misplaced):,}", misplaced)
    if strays:
        yield check("warning", f"images that no label names: {len(strays):,}", strays)
    others = list(layout.other_files())
    if others:
        yield check("warning", unread(others), others)


def _attributes(layout: Layout, entries: Sequence[Entry]) -> Iterator[Check]:
    if not layout.has_attributes:
        yield check("ok", "attributes: this layout has none, so results by perceived group are not available")
        return
    absent, wrong = [], []
    for entry in entries:
        file = layout.attributes_file(entry.stem)
        try:
            if file and not read_attributes(layout.tree, file):
                absent.append(file.name)
        except UserError as error:
            wrong.append(f"{error.problem}: {error.found}")
    if wrong:
        yield check("warning", f"attribute files that make no sense, so not used: {len(wrong):,}", wrong)
    if entries and len(absent) == len(entries):
        yield check("ok", "attributes: no files in Annotation/manual, so results by perceived group are not available")
    elif absent:
        yield check("warning", f"missing attribute files: {len(absent):,} of {len(entries):,}", absent)
    elif entries and not wrong:
        yield check("ok", f"attributes: {plural(len(entries), 'file')} read")
