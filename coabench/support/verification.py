"""What data sets check alike: labels that cannot be trusted, counts against the card, images decoded in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coabench.dataset import Card, Check, ImageSource
from coabench.errors import first_line
from coabench.support.images import UnreadableImage, decode

EXAMPLES = 5
"""How many examples a check names."""

Outcome = tuple[int, int] | str
"""Width and height of an image, pixels, or what is wrong with it."""


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


def contents(folder: Path) -> str:
    """Return the first names in a folder, for error messages; no folder is an empty one."""
    names = sorted(p.name + "/" * p.is_dir() for p in folder.iterdir()) if folder.is_dir() else []
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more or "an empty folder"


def check(level: Literal["ok", "warning", "error"], text: str, examples: Sequence[str] = ()) -> Check:
    """Return a check with the first few of its examples."""
    return Check(level, text, tuple(examples[:EXAMPLES]))


def check_problems(problems: Sequence[Problem], headings: Mapping[Any, str]) -> Iterator[Check]:
    """Yield an error for every kind of problem that there is."""
    for kind, heading in headings.items():
        examples = [f"{p.where}: {p.found} (expected {p.expected})" for p in problems if p.kind == kind]
        if examples:
            yield check("error", f"{heading}: {len(examples):,}", examples)


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
        return check("warning", f"{split}: {total:,} images{missing}; the card gives no counts to compare with")
    differing = [label for label in card.space.names if counts[label] != expected.get(label, 0)]
    if not differing:
        return check("ok", f"{split}: {total:,} images, every class as on the card")
    verified = split in card.counts_verified
    of_card = f"the card says {sum(expected.values()):,}" + ("" if verified else ", which is not verified")
    return Check(
        "error" if verified else "warning",
        f"{split}: {total:,} images, {of_card}; {len(differing)} of {len(card.space.names)} classes differ",
        tuple(f"{label}: {counts[label]:,} instead of {expected.get(label, 0):,}" for label in differing),
    )


def decode_all(images: Sequence[ImageSource]) -> list[Outcome | None]:
    """Decode every image in full; None for one that is not there."""
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        return list(pool.map(_decode, images))


def check_images(images: Sequence[ImageSource], outcomes: Sequence[Outcome | None]) -> Iterator[Check]:
    """Yield what `decode_all` reports: missing files, images that cannot be decoded."""
    missing = [image.name for image, outcome in zip(images, outcomes, strict=True) if outcome is None]
    if missing:
        yield check("error", f"missing image files: {len(missing):,} of {len(images):,}", missing)
    broken = [f"{i.name}: {o}" for i, o in zip(images, outcomes, strict=True) if isinstance(o, str)]
    if broken:
        yield check("error", f"images that cannot be decoded in full: {len(broken):,}", broken)
    present = len(images) - len(missing)
    if present and not broken:
        yield check("ok", f"images: {present:,} decoded in full")


def _decode(source: ImageSource) -> Outcome | None:
    if source.size() < 0:
        return None
    try:
        return decode(source.read())[0].size
    except (OSError, UnreadableImage) as error:
        return first_line(error)
