"""Checking files against their card: everything that is wrong, not only the first thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card, Check
from coabench.support.tree import Tree, TreeFile
from coabench.support.verification import (
    EXAMPLES,
    HOW_TO_NAME,
    check,
    check_counts,
    check_problems,
    unread,
    values_to_paste,
)
from coabench_faces.entry import Entry
from coabench_faces.listing import Listing, ProblemKind, is_image, is_table

_HEADINGS: Mapping[ProblemKind, str] = {
    "unreadable": "rows that cannot be read",
    "label": "labels that are not on the card",
    "split": "rows of unknown splits",
    "image": "rows without an image",
    "outside": "files outside the data root",
    "id": "ids that are not unique",
    "duplicate": "rows of an image that has one already",
}


def verify(card: Card, tree: Tree, listing: Listing) -> list[Check]:
    """Return the checks, in the order in which they are worth reading."""
    entries = [entry for _, entry in sorted(listing.entries.items())]
    return [
        *_rows(card, listing, entries),
        *_counts(card, listing, entries),
        *_left_out(listing),
        *_subjects(entries),
        *_strays(tree, listing, entries),
    ]


def _rows(card: Card, listing: Listing, entries: Sequence[Entry]) -> Iterator[Check]:
    lines = [HOW_TO_NAME, *values_to_paste(listing.unknown, card.space)] if listing.unknown else ()
    yield from check_problems(listing.problems, _HEADINGS, {"label": lines})
    if not listing.problems:
        yield check("ok", f"labels: {len(entries):,} read, every one on the card, every id once")


def _counts(card: Card, listing: Listing, entries: Sequence[Entry]) -> Iterator[Check]:
    for split in card.splits:
        outcome = check_counts(card, split, Counter(e.label for e in entries if e.split == split))
        source = listing.absent.get(split)
        yield Check(outcome.level, outcome.text, (f"nothing at {source}",)) if source else outcome


def _left_out(listing: Listing) -> Iterator[Check]:
    reasons = listing.left_out
    if reasons:
        examples = tuple(f"{reason}: {number:,}" for reason, number in reasons.most_common(2 * EXAMPLES))
        yield Check("ok", f"rows left out, as the card says: {reasons.total():,}", examples)
    unmatched = listing.unmatched
    if unmatched:
        text = f"images whose names do not fit the card's pattern, left out: {len(unmatched):,}"
        yield check("warning", text, unmatched)


def _subjects(entries: Sequence[Entry]) -> Iterator[Check]:
    splits: dict[str, set[str]] = {}
    without = 0
    for entry in entries:
        if SUBJECT in entry.attributes:
            splits.setdefault(str(entry.attributes[SUBJECT]), set()).add(entry.split)
        else:
            without += 1
    if not splits:
        return
    leaks = [f"{name}: {', '.join(sorted(where))}" for name, where in sorted(splits.items()) if len(where) > 1]
    if leaks:
        yield check("warning", f"persons in more than one split: {len(leaks):,} of {len(splits):,}", leaks)
    if without:
        yield check("warning", f"images of unknown persons: {without:,} of {len(entries):,}")
    if not leaks:
        yield check("ok", f"persons: {len(splits):,}, none in more than one split")


def _strays(tree: Tree, listing: Listing, entries: Sequence[Entry]) -> Iterator[Check]:
    """Find what lies beside the images that rows name: images that no row names, and files of other kinds."""
    folders = {str(PurePosixPath(e.image.name).parent) for e in entries if isinstance(e.image, TreeFile)}
    strays: list[str] = []
    others = set(listing.unread)
    for folder in sorted(folders):
        try:
            entries_there = tree.entries(folder)
        except OSError:
            continue
        for entry in entries_there:
            path = str(PurePosixPath(folder, entry.name))
            if entry.name.startswith("."):
                continue
            if is_image(path):
                strays += [path] if path not in listing.images else []
            elif not is_table(path) and not entry.is_folder:
                others.add(path)
    if strays:
        yield check("warning", f"images that no row names: {len(strays):,}", strays)
    if others:
        yield check("warning", unread(others), sorted(others))
