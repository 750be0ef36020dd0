"""What data sets check alike: labels that cannot be trusted, counts against the card, files that are not read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from coabench.base.text import plural, safe
from coabench.dataset import Card, Check, Sample
from coabench.labels import LabelSpace
from coabench.support.images import HEIC_REMEDY, HEIC_SUFFIXES, reads_heic
from coabench.support.tree import Tree

EXAMPLES = 5
"""How many examples a check names."""


@dataclass(frozen=True)
class Problem:
    """Something in a data set's files that makes a label unsafe to use.

    Attributes:
        kind: a key of the headings of `check_problems`.
        where: file and line.
        split: the one that it spoils, None where it may be any.
    """

    kind: str
    where: str
    expected: str
    found: str
    split: str | None = None


def contents(tree: Tree) -> str:
    """Return the first names in a data root, for error messages."""
    names = [entry.name + "/" * entry.is_folder for entry in tree.entries()]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more or "nothing in it"


def check(level: Literal["ok", "warning", "error"], text: str, examples: Sequence[str] = ()) -> Check:
    """Return a check with the first few of its examples."""
    return Check(level, text, tuple(examples[:EXAMPLES]))


def check_problems(
    problems: Sequence[Problem], headings: Mapping[Any, str], more: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Check]:
    """Yield an error for every kind of problem that there is; *more*: kind -> lines to add to the examples."""
    for kind, heading in headings.items():
        examples = [f"{p.where}: {p.found} (expected {p.expected})" for p in problems if p.kind == kind]
        if examples:
            lines = (*examples[:EXAMPLES], *(more or {}).get(kind, ()))
            yield Check("error", f"{heading}: {len(examples):,}", lines)


def check_counts(card: Card, split: str, counts: Counter[str]) -> Check:
    """Compare the number of samples of each label in a split with the card; every class that differs is named."""
    expected = card.counts.get(split)
    total = counts.total()
    if not total:
        default = split == card.splits[0]
        return check("error" if default else "warning", f"{split}: no labelled images in this copy")
    if expected is None:
        absent = [label for label in card.space.names if not counts[label]]
        missing = f"; without any: {', '.join(absent)}" if absent else ""
        return check("warning", f"{split}: {plural(total, 'image')}{missing}; the card gives no counts to compare with")
    differing = [label for label in card.space.names if counts[label] != expected.get(label, 0)]
    if not differing:
        return check("ok", f"{split}: {plural(total, 'image')}, every class as on the card")
    verified = split in card.counts_verified
    of_card = f"the card says {sum(expected.values()):,}" + ("" if verified else ", which is not verified")
    return Check(
        "error" if verified else "warning",
        f"{split}: {plural(total, 'image')}, {of_card}; {len(differing)} of {len(card.space.names)} classes differ",
        tuple(f"{label}: {counts[label]:,} instead of {expected.get(label, 0):,}" for label in differing),
    )


def unread(files: Iterable[str]) -> str:
    """Say how many files are not read, by ending; nothing where there are none."""
    endings = Counter(PurePath(file).suffix.lower() or "without ending" for file in files)
    counted = ", ".join(f"{number:,} {ending}" for ending, number in sorted(endings.items()))
    return f"files beside the images that are not read: {counted}" if counted else ""


def missing(card: Card, split: str, samples: Sequence[Sample]) -> str:
    """Say in a line what `verify` would say is missing from a split, without opening an image; nothing if nothing is.

    Args:
        samples: all samples of the split.
    """
    sizes = [sample.image.size() for sample in samples]
    absent = {s.id for s, size in zip(samples, sizes, strict=True) if size < 0}
    empty = {s.id for s, size in zip(samples, sizes, strict=True) if not size}
    heic = set() if reads_heic() else {s.id for s in samples if s.image.name.lower().endswith(HEIC_SUFFIXES)}
    lost = absent | empty | heic
    labels = {sample.target for sample in samples}
    readable = {sample.target for sample in samples if sample.id not in lost}
    expected = sum(card.counts.get(split, {}).values()) if split in card.counts_verified else len(samples)
    parts = [
        _named("no sample of", (name for name in card.space.names if name not in labels)),
        _named("no image that can be read of", (n for n in card.space.names if n in labels - readable)),
        f"{len(absent):,} of {plural(len(samples), 'image file')} missing" if absent else "",
        f"{plural(len(empty), 'image file')} empty" if empty else "",
        f"{plural(len(heic - absent - empty), 'image')} in HEIC ({HEIC_REMEDY})" if heic - absent - empty else "",
        f"{plural(len(samples), 'image')}, the card says {expected:,}" if expected != len(samples) else "",
    ]
    said = "; ".join(filter(None, parts))
    return f"in split {split!r}, as `coabench datasets verify` says: {said}" if said else ""


def _named(what: str, labels: Iterable[str]) -> str:
    names = ", ".join(labels)
    return f"{what} {names}" if names else ""


def values_to_paste(found: Mapping[str, Sequence[str]], space: LabelSpace) -> list[str]:
    """Return the lines of a card that give a label to each value that the files use; the user completes them.

    Numbers get the card's codes if all of them are such.

    Args:
        found: value -> where it is.
    """
    codes = {str(label.code): label.name for label in space.labels if label.code is not None}
    known = codes if set(found) <= set(codes) else {}
    lines = []
    for value in sorted(found, key=lambda text: (text.isdecimal() and len(text), text)):
        plain = value.isascii() and value.isdecimal() and str(int(value)) == value
        key = value if plain else json.dumps(value, ensure_ascii=False)
        where = found[value]
        lines.append(f"    {key}: {known.get(value, 'LABEL')}  # {len(where):,}, first {safe(where[0])}")
    return ["options:", "  values:", *lines]


HOW_TO_NAME = "write into the card what each stands for (null leaves such rows out); check every line:"
"""What comes before `values_to_paste`."""
