"""Every image of a data set looked at: what cannot be read, what is there twice, what is no picture at all.

`verify` does it for every data set, whoever wrote its loader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from coabench.dataset import Card, Check, Dataset, ImageSource, Sample
from coabench.errors import first_line
from coabench.support.copies import MOST, Signature, identical, near, sign
from coabench.support.image_warnings import WARNED
from coabench.support.images import UnreadableImage, decode
from coabench.support.verification import EXAMPLES, check

SHOWN = 4
"""How many images of a group of identical ones are named."""
FLAT = 2
"""By how much the values of a channel may differ in a picture of one value: JPEG rounds."""


@dataclass(frozen=True)
class Seen:
    """An image that can be read.

    Attributes:
        size: width and height, pixels.
        notes: what was done to it beyond decoding.
        flat: whether it is of one value.
    """

    size: tuple[int, int]
    notes: tuple[str, ...]
    flat: bool
    signature: Signature


Outcome = Seen | str | None
"""What an image looks like, why it cannot be read, or None where there is none."""


@dataclass(frozen=True)
class Pair:
    """Two samples that show the same: pixel by pixel, or nearly so."""

    one: Sample
    other: Sample
    identical: bool


@dataclass(frozen=True)
class Verification:
    """What is said of a data set's files, and every pair of copies among its images."""

    checks: Sequence[Check]
    pairs: Sequence[Pair]


def verify(dataset: Dataset) -> Verification:
    """Check a data set: its own checks, and every image that it lists, decoded in full."""
    import numpy  # noqa: F401  # where memory is short it fails here, and not as half a module in several threads

    checks = dataset.verify()
    samples = list(dataset.listed())
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        outcomes = list(pool.map(_look, (sample.image for sample in samples)))
    seen = [(s, outcome) for s, outcome in zip(samples, outcomes, strict=True) if isinstance(outcome, Seen)]
    signatures = [outcome.signature for _, outcome in seen]
    groups = [[seen[i][0] for i in group] for group in identical(signatures)]
    alike = [Pair(seen[i][0], seen[j][0], identical=False) for i, j in near(signatures)]
    copies = [Pair(group[0], other, identical=True) for group in groups for other in group[1:]]
    images = [
        *_read(samples, outcomes),
        *_unread_classes(dataset.card, samples, seen),
        *_seen(dataset.card, seen),
        *_identical(groups),
        *_near(alike),
    ]
    return Verification([*checks, *images], [*copies, *alike])


def _look(source: ImageSource) -> Outcome:
    if source.size() < 0:
        return None
    try:
        image, notes = decode(source.read())
    except (OSError, UnreadableImage) as error:
        return first_line(error)
    histogram = image.histogram()
    flat = all(_spread(histogram[start : start + 256]) <= FLAT for start in (0, 256, 512))
    return Seen(image.size, notes, flat, sign(image, flat))


def _spread(histogram: Sequence[int]) -> int:
    """Return by how much the values of a channel differ."""
    values = [value for value, times in enumerate(histogram) if times]
    return values[-1] - values[0]


def _read(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> Iterator[Check]:
    absent = [sample.image.name for sample, outcome in zip(samples, outcomes, strict=True) if outcome is None]
    if absent:
        yield check("error", f"missing image files: {len(absent):,} of {len(samples):,}", absent)
    broken: dict[str, list[str]] = {}
    for sample, outcome in zip(samples, outcomes, strict=True):
        if isinstance(outcome, str):
            broken.setdefault(outcome, []).append(sample.image.name)
    if broken:
        reasons = sorted(broken.items(), key=lambda item: -len(item[1]))
        number = sum(map(len, broken.values()))
        yield check(
            "error",
            f"images that cannot be decoded in full: {number:,}",
            [names[0] + f" and {len(names) - 1:,} more" * (len(names) > 1) + f": {why}" for why, names in reasons],
        )
    elif len(samples) > len(absent):
        yield check("ok", f"images: {len(samples) - len(absent):,} decoded in full")


def _unread_classes(card: Card, samples: Sequence[Sample], seen: Sequence[tuple[Sample, Seen]]) -> Iterator[Check]:
    read = {(sample.split, sample.target) for sample, _ in seen}
    lost = {(sample.split, sample.target) for sample in samples} - read
    for split in card.splits:
        names = ", ".join(name for name in card.space.names if (split, name) in lost)
        if names:
            yield check("warning", f"{split}: no image can be read of {names}")


def _seen(card: Card, seen: Sequence[tuple[Sample, Seen]]) -> Iterator[Check]:
    flat = [sample.image.name for sample, outcome in seen if outcome.flat]
    if flat:
        yield check("warning", f"pictures of one value, without a face: {len(flat):,}", flat)
    notes = Counter(note for _, outcome in seen for note in outcome.notes if not note.startswith(WARNED))
    if notes:
        number = sum(any(note in notes for note in outcome.notes) for _, outcome in seen)
        examples = tuple(f"{note}: {times:,}" for note, times in sorted(notes.items()))
        yield Check("ok", f"images turned upright, scaled or put on white while they are read: {number:,}", examples)
    warned = [
        f"{sample.image.name}: {note.removeprefix(WARNED)}"
        for sample, outcome in seen
        for note in outcome.notes
        if note.startswith(WARNED)
    ]
    if warned:
        yield check("warning", f"warnings of Pillow about images that it reads: {len(warned):,}", warned)
    if card.image_size:
        others = [
            f"{sample.image.name}: {_pixels(outcome.size)}"
            for sample, outcome in seen
            if outcome.size != card.image_size
        ]
        if others:
            expected = _pixels(card.image_size)
            yield check("warning", f"images of another size than the card's {expected} pixels: {len(others):,}", others)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _identical(groups: Sequence[Sequence[Sample]]) -> Iterator[Check]:
    labels: list[Sequence[Sample]] = []
    splits: list[Sequence[Sample]] = []
    others: list[Sequence[Sample]] = []
    for group in groups:
        several = [(labels, len({s.target for s in group}) > 1), (splits, len({s.split for s in group}) > 1)]
        for kind in [kind for kind, applies in several if applies] or [others]:
            kind.append(group)
    if labels:
        yield check("error", f"identical images with several labels: {len(labels):,}", _described(labels))
    if splits:
        yield check("error", f"identical images in several splits: {len(splits):,}", _described(splits))
    if others:
        yield check("warning", f"identical images of one label and split: {len(others):,}", _described(others))


def _near(pairs: Sequence[Pair]) -> Iterator[Check]:
    if not pairs:
        return
    labels = sum(pair.one.target != pair.other.target for pair in pairs)
    splits = sum(pair.one.split != pair.other.split for pair in pairs)
    first = sorted(pairs, key=lambda pair: (pair.one.split == pair.other.split, pair.one.target == pair.other.target))
    more = "at least " * (len(pairs) >= MOST)
    text = f"pairs of near-copies: {more}{len(pairs):,}, {splits:,} across splits, {labels:,} with two labels"
    yield check("warning", text, _described(((pair.one, pair.other) for pair in first), " ~ "))


def _described(groups: Iterable[Sequence[Sample]], sign: str = " = ") -> list[str]:
    return [
        sign.join(map(_place, group[:SHOWN])) + f" and {len(group) - SHOWN:,} more" * (len(group) > SHOWN)
        for group in islice(groups, EXAMPLES)
    ]


def _place(sample: Sample) -> str:
    return f"{sample.image.name} ({sample.split}, {sample.target})"
