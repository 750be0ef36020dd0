"""Checking a copy of RAF-DB against its card: everything that is wrong, not only the first thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from coabench.dataset import Check, ImageFile
from coabench.errors import UserError
from coabench_rafdb.attributes import read_attributes
from coabench_rafdb.listing import Entry, ProblemKind, parse_name

if TYPE_CHECKING:
    from coabench_rafdb.dataset import RafDb

EXAMPLES = 5
"""How many examples a check names."""

ALIGNED_SIZE = (100, 100)
"""Width and height of RAF-DB's aligned faces, pixels."""

_HEADINGS: dict[ProblemKind, str] = {
    "unreadable": "label lines that cannot be read",
    "code": "labels that are not on the card",
    "duplicate": "images labelled more than once",
    "split": "images listed under the wrong split",
    "subset": "labels that belong to the other subset",
    "contradiction": "labels that contradict each other",
}


def verify(dataset: RafDb) -> list[Check]:
    """Return the checks of every split, in the order in which they are worth reading."""
    entries = [dataset.listing.entries[stem] for stem in sorted(dataset.listing.entries)]
    return [
        *_layout(dataset),
        *_labels(dataset, entries),
        *(_counts(dataset, entries, split) for split in dataset.card.splits),
        _collisions(entries),
        *_images(dataset, entries),
        *_folders(dataset, entries),
        *_attributes(dataset, entries),
    ]


def _check(level: Literal["ok", "warning", "error"], text: str, examples: Sequence[str] = ()) -> Check:
    return Check(level, text, tuple(examples[:EXAMPLES]))


def _layout(dataset: RafDb) -> Iterator[Check]:
    yield _check("ok", f"{dataset.layout.name} layout, {dataset.options.images} images")
    for note in dataset.notes():
        yield _check("warning", note)


def _labels(dataset: RafDb, entries: Sequence[Entry]) -> Iterator[Check]:
    problems = dataset.listing.problems
    for kind, heading in _HEADINGS.items():
        here = [p for p in problems if p.kind == kind]
        if here:
            examples = [f"{p.where}: {p.found} (expected {p.expected})" for p in here]
            yield _check("error", f"{heading}: {len(here):,}", examples)
    if not problems:
        yield _check("ok", f"labels: {len(entries):,} read, every one on the card and given once")


def _counts(dataset: RafDb, entries: Sequence[Entry], split: str) -> Check:
    found = Counter(entry.label for entry in entries if entry.stem.split == split)
    expected = dataset.card.counts.get(split)
    total = found.total()
    if not total:
        default = split == dataset.card.splits[0]
        return _check("error" if default else "warning", f"{split}: no labelled images in this copy")
    if expected is None:
        return _check("warning", f"{split}: {total:,} images; the card gives no counts to compare with")
    differing = [label for label in dataset.card.space.names if found[label] != expected.get(label, 0)]
    if not differing:
        return _check("ok", f"{split}: {total:,} images, every class as on the card")
    verified = split in dataset.card.counts_verified
    of_card = f"the card says {sum(expected.values()):,}" + ("" if verified else ", which is not verified")
    return Check(  # names every class that differs: there are only so many
        "error" if verified else "warning",
        f"{split}: {total:,} images, {of_card}; {len(differing)} of {len(dataset.card.space.names)} classes differ",
        tuple(f"{label}: {found[label]:,} instead of {expected.get(label, 0):,}" for label in differing),
    )


def _collisions(entries: Sequence[Entry]) -> Check:
    """Find names that become one when a program reads their digits as a number."""
    by_number: dict[tuple[str, int], list[str]] = {}
    for entry in entries:
        by_number.setdefault((entry.stem.split, int(entry.stem.digits)), []).append(entry.stem.text)
    clashes = [" and ".join(stems) for stems in by_number.values() if len(stems) > 1]
    if clashes:
        return _check("error", f"names that differ only in leading zeros: {len(clashes):,}", clashes)
    return _check("ok", "names: none differ only in leading zeros")


def _images(dataset: RafDb, entries: Sequence[Entry]) -> Iterator[Check]:
    files = [ImageFile(dataset.root, entry.image) for entry in entries]
    missing = [file.name for file in files if file.size() < 0]
    if missing:
        yield _check("error", f"missing image files: {len(missing):,} of {len(files):,}", missing)
    present = [file for file in files if file.size() >= 0]
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        outcomes = list(pool.map(_decode, present))
    broken = [f"{f.name}: {o}" for f, o in zip(present, outcomes, strict=True) if isinstance(o, str)]
    if broken:
        yield _check("error", f"images that cannot be decoded in full: {len(broken):,}", broken)
    if present and not broken:
        yield _check("ok", f"images: {len(present):,} decoded in full")
    if dataset.options.images == "aligned":
        odd = [
            f"{file.name}: {size[0]}×{size[1]}"
            for file, size in zip(present, outcomes, strict=True)
            if not isinstance(size, str) and size != ALIGNED_SIZE
        ]
        if odd:
            text = f"aligned images that are not {ALIGNED_SIZE[0]}×{ALIGNED_SIZE[1]} pixels: {len(odd):,}"
            yield _check("warning", text, odd)


def _decode(file: ImageFile) -> tuple[int, int] | str:
    """Return width and height of an image after decoding all of it, or what went wrong."""
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(file.read())) as image:
            image.load()
            return image.size
    except UnidentifiedImageError:
        return "no image"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return str(error)


def _folders(dataset: RafDb, entries: Sequence[Entry]) -> Iterator[Check]:
    named = {entry.image for entry in entries}
    strays, misplaced = [], []
    for file in dataset.layout.on_disk():
        stem = parse_name(file.path.rpartition("/")[2])
        if file.path not in named:
            strays.append(file.path)
        if stem and file.split and stem.split != file.split:
            misplaced.append(f"{file.path}: named {stem.split}, in the folder of {file.split}")
    if misplaced:
        yield _check("error", f"images in the folder of the wrong split: {len(misplaced):,}", misplaced)
    if strays:
        yield _check("warning", f"images that no label names: {len(strays):,}", strays)


def _attributes(dataset: RafDb, entries: Sequence[Entry]) -> Iterator[Check]:
    if not dataset.layout.has_attributes:
        yield _check("ok", "attributes: this layout has none, so results by perceived group are not available")
        return
    absent, wrong = [], []
    for entry in entries:
        file = dataset.layout.attributes_file(entry.stem)
        try:
            if file and not read_attributes(file):
                absent.append(file.name)
        except UserError as error:
            wrong.append(f"{error.problem}: {error.found}")
    if wrong:
        yield _check("warning", f"attribute files that make no sense, so not used: {len(wrong):,}", wrong)
    if entries and len(absent) == len(entries):
        yield _check("ok", "attributes: no files in Annotation/manual, so results by perceived group are not available")
    elif absent:
        yield _check("warning", f"missing attribute files: {len(absent):,} of {len(entries):,}", absent)
    elif entries and not wrong:
        yield _check("ok", f"attributes: {len(entries):,} files read")
