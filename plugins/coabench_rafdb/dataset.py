"""RAF-DB on this machine: finding the copy, handing out its samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from coabench.base.schema import At, read_fields
from coabench.dataset import Card, Check, Dataset, Sample
from coabench.errors import UserError
from coabench.support.archives import ARCHIVES, open_tree
from coabench.support.verification import contents
from coabench_rafdb.attributes import read_attributes
from coabench_rafdb.folders import Folders
from coabench_rafdb.layout import Layout, Request
from coabench_rafdb.listing import Entry, Listing, Subset
from coabench_rafdb.merged import Merged
from coabench_rafdb.official import Official

LAYOUTS: tuple[type[Layout], ...] = (Official, Merged, Folders)
"""In the order in which ``layout=auto`` prefers them."""


@dataclass(frozen=True)
class _Described:
    """The options of a card: which subset of RAF-DB it describes."""

    subset: Subset


class RafDb(Dataset):
    """The basic or the compound subset of RAF-DB; the card's option ``subset`` says which.

    The constructor only finds the files. Labels are read when samples are asked for; a label file with anything in
    it that cannot be trusted is refused as a whole. An image that is not there is still a sample: the run records
    the error, `verify` reports it. An attribute file that is absent or makes no sense leaves the sample without
    attributes, which `verify` reports too.

    Raises:
        UserError: there is no copy below the data root, or one without its labels or all of its images.
    """

    root_files = ARCHIVES

    @dataclass(frozen=True)
    class Options(Dataset.Options):
        """Which images to use, and which layout to expect."""

        images: Literal["aligned", "original"] = "aligned"
        layout: Literal["auto", "official", "merged", "folders"] = "auto"

    def __init__(self, card: Card, root: Path | None, options: Options) -> None:
        self.card = card if options.images == "aligned" else replace(card, image_size=None)
        self.options = options
        if root is None:
            raise UserError(
                f"{card.name} needs to know where RAF-DB is",
                expected="--data-root PATH, the folder that holds basic/ and compound/, or an archive of it",
                remedy=_how_to_get(card),
            )
        self.root = root
        at = At(card.path or card.name, "correct the card", "options")
        subset = read_fields(_Described, card.options, at, others=True).subset
        self.layout, self._passed_over = self._find(Request(open_tree(root), subset, card.space, self.options.images))
        self._samples: dict[str, tuple[Sample, ...]] = {}

    def _find(self, request: Request) -> tuple[Layout, tuple[str, ...]]:
        """Return the layout in the data root, or in the folder with which an archive was packed."""
        for tree in filter(None, (request.tree.inner(), request.tree)):
            found = _find_layout(replace(request, tree=tree), self.options.layout)
            if found is not None:
                return found
        raise _not_found(request, self.options.layout, self.card)

    @cached_property
    def listing(self) -> Listing:
        """What the label files say, good and bad."""
        return self.layout.read()

    def samples(self, split: str) -> Sequence[Sample]:
        """Return the samples of a split, sorted by id.

        Raises:
            UserError: the split is not on the card or not in this copy, or a label file cannot be trusted.
        """
        if split not in self._samples:
            self.card.check_split(split)
            self._check_labels()
            entries = [self.listing.entries[stem] for stem in sorted(self.listing.entries)]
            self._samples[split] = tuple(self._sample(entry) for entry in entries if entry.stem.split == split)
        if not self._samples[split]:
            present = sorted({entry.stem.split for entry in self.listing.entries.values()})
            raise UserError(
                f"this copy of RAF-DB has no {split!r} split of {self.card.name}",
                expected=f"labels of images named {split}_…",
                found=f"only {', '.join(present)}" if present else "no labelled image at all",
                remedy="choose another split, or point --data-root at a complete copy",
            )
        return self._samples[split]

    def _check_labels(self) -> None:
        if not self.listing.problems:
            return
        first, *others = self.listing.problems
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(
            f"a label of {self.card.name} cannot be trusted: {first.where}{more}",
            expected=first.expected,
            found=first.found,
            remedy=f"restore the file from RAF-DB; `coabench datasets verify {self.card.name} "
            f"--data-root {self.root}` lists every such place",
        )

    def _sample(self, entry: Entry) -> Sample:
        return Sample(
            id=f"{self.card.name}/{entry.stem.text}",
            image=self.layout.tree.file(entry.image),
            target=entry.label,
            split=entry.stem.split,
            attributes=self.attributes(entry),
        )

    def listed(self) -> Iterable[Sample]:
        """Return the samples of every split, for `coabench datasets verify`, whatever is wrong with other labels."""
        return [self._sample(entry) for _, entry in sorted(self.listing.entries.items())]

    def attributes(self, entry: Entry) -> Mapping[str, str]:
        """Return the perceived attributes of an image; none where its file is absent or makes no sense."""
        file = self.layout.attributes_file(entry.stem)
        try:
            return read_attributes(self.layout.tree, file) if file else {}
        except UserError:  # reported by verify; not worth losing the sample
            return {}

    def notes(self) -> Sequence[str]:
        return (*self.layout.notes(), *self._passed_over)

    def identity(self) -> Mapping[str, Any]:
        """Return the choice of images. The layout is left out: the fingerprint tells two copies that differ."""
        return {"images": self.options.images}

    def verify(self) -> list[Check]:
        """Check labels, counts, names and attributes of every split against the card."""
        from coabench_rafdb.verify import verify

        images = self.options.images
        return verify(self.card, self.layout, self.listing, images=images, notes=self.notes())


def _candidates(wanted: str) -> Sequence[type[Layout]]:
    return [layout for layout in LAYOUTS if wanted in ("auto", layout.name)]


def _find_layout(request: Request, wanted: str) -> tuple[Layout, tuple[str, ...]] | None:
    """Return the preferred layout that is there, and a note for every other one that is there too; or None."""
    candidates = _candidates(wanted)
    try:
        for position, candidate in enumerate(candidates):
            layout = candidate.find(request)
            if layout:
                others = [other.name for other in candidates[position + 1 :] if _is_there(other, request)]
                return layout, tuple(
                    f"the data root also holds RAF-DB in the {name} layout; the {layout.name} one is used "
                    f"(--set layout={name} chooses the other)"
                    for name in others
                )
        return None
    except OSError as error:
        raise UserError(
            f"{error.filename or request.tree.root} cannot be read",
            found=error.strerror,
            remedy="check its permissions, or point --data-root at the folder or archive that holds RAF-DB",
        ) from None


def _is_there(layout: type[Layout], request: Request) -> bool:
    try:
        return layout.find(request) is not None
    except UserError:  # there, but unusable: worth a note all the same
        return True


def _not_found(request: Request, wanted: str, card: Card) -> UserError:
    return UserError(
        f"no {request.subset} subset of RAF-DB in {request.tree.root}",
        expected="; or ".join(layout.looks_like(request.subset) for layout in _candidates(wanted)),
        found=contents(request.tree),
        remedy=f"point --data-root at the folder that holds {request.subset}/. {_how_to_get(card)}",
    )


def _how_to_get(card: Card) -> str:
    return f"RAF-DB is given out by its authors on request: {card.homepage} (see docs/reference/raf-db.md)"
