"""A data set of labelled faces as its card describes it: folders, tables, or both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from coabench.base.reading import is_file
from coabench.base.text import plural
from coabench.dataset import Card, Check, Dataset, Sample
from coabench.errors import UserError
from coabench.support.archives import ARCHIVES, open_tree
from coabench.support.parquet import PARQUET
from coabench.support.tree import FolderTree, Tree
from coabench.support.verification import HOW_TO_NAME, Problem, contents, unread, values_to_paste
from coabench_faces.duplicates import CONTRADICTING, LATER
from coabench_faces.entry import Entry
from coabench_faces.layout import read_layout
from coabench_faces.listing import Listing, find_source, is_row, read_listing


class Faces(Dataset):
    """Labelled faces below the data root, laid out as the card's options say.

    The constructor checks the card and finds the files. Labels are read when samples are asked for; a split with
    anything in its labels that cannot be trusted is refused as a whole. An image that is not there is still a sample:
    the run records the error, `verify` reports it.

    Raises:
        UserError: the card's options make no sense, or nothing below the data root is what they describe.
    """

    root_files = (*ARCHIVES, PARQUET)

    def __init__(self, card: Card, root: Path | None, options: Dataset.Options) -> None:
        if root is None:
            raise UserError(f"{card.name} needs to know where its files are", expected="--data-root PATH")
        self.root = root
        self.card = _with_table(card, root) if self._is_table else card
        self.layout = read_layout(self.card)
        self._samples: dict[str, tuple[Sample, ...]] = {}
        self.tree = self._find()

    @property
    def _is_table(self) -> bool:
        """Whether the data root itself is the table."""
        return self.root.suffix.lower() == PARQUET and is_file(self.root)

    def _find(self) -> Tree:
        """Return the files of the data root; refuse one in which nothing is where the card says.

        An archive may hold them in one folder, as it is packed with its name: then that is the data root.
        """
        sources = self.layout.sources.values()
        whole = FolderTree(self.root.parent) if self._is_table else open_tree(self.root)
        try:
            for tree in filter(None, (whole.inner(), whole)):
                if any(
                    is_row(file.path, source, self.layout.tables)
                    for source in sources
                    for file in find_source(source, tree)
                ):
                    return tree
            found = contents(whole)
        except OSError as error:
            raise self._unreadable(error) from None
        what = "table" if self.layout.tables else "image"
        raise UserError(
            f"no {what} of {self.card.name} in {self.root}",
            expected=" or ".join(dict.fromkeys(source.text for source in sources)),
            found=found,
            remedy="correct --data-root, or the options of the card"
            + (f". {self.card.title}: {self.card.homepage}" if self.card.homepage else ""),
        )

    @cached_property
    def listing(self) -> Listing:
        """What the files say, good and bad."""
        try:
            return read_listing(self.card, self.layout, self.tree)
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> UserError:
        return UserError(
            f"{error.filename or self.root} cannot be read",
            found=error.strerror,
            remedy="check its permissions, or correct --data-root",
        )

    def samples(self, split: str) -> Sequence[Sample]:
        """Return the samples of a split, sorted by id.

        Raises:
            UserError: the split is not on the card or has no samples here, one of its labels cannot be trusted, or
                none of its images is there.
        """
        if split not in self._samples:
            self.card.check_split(split)
            problems = [p for p in self.listing.problems if p.split in (None, split)]
            if problems:
                raise self._untrusted(problems)
            entries = [e for _, e in sorted(self.listing.entries.items()) if e.split == split]
            samples = tuple(map(self._sample, entries))
            self._check_there(split, samples)
            self._samples[split] = samples
        return self._samples[split]

    def listed(self) -> Iterable[Sample]:
        """Return the samples of every split, for `coabench datasets verify`, whatever is wrong with other rows."""
        return [self._sample(entry) for _, entry in sorted(self.listing.entries.items())]

    def _sample(self, entry: Entry) -> Sample:
        name = f"{self.card.name}/{entry.id}"
        return Sample(name, entry.image, entry.label, entry.split, entry.attributes, entry.votes)

    def _untrusted(self, problems: Sequence[Problem]) -> UserError:
        first, *others = problems
        more = f" (and {len(others):,} more)" if others else ""
        what = {"label": "a label", "id": "an id", "split": "a split", "image": "an image", "outside": "an image"}
        hint = _HINTS.get(first.kind, "correct the file") + "; "
        if first.kind == "label" and self.listing.unknown:
            hint = "\n    ".join([HOW_TO_NAME, *values_to_paste(self.listing.unknown, self.card.space), ""])
        return UserError(
            f"{what.get(first.kind, 'a row')} of {self.card.name} cannot be used: {first.where}{more}",
            expected=first.expected,
            found=first.found,
            remedy=f"{hint}`coabench datasets verify "
            f"{self.card.path or self.card.name} --data-root {self.root}` lists every such place",
        )

    def _check_there(self, split: str, samples: Sequence[Sample]) -> None:
        if not samples:
            counts = Counter(entry.split for entry in self.listing.entries.values())
            absent = self.listing.absent.get(split) or self.listing.absent.get(None)
            out = self.listing.left_out.total() + len(self.listing.unmatched)
            raise UserError(
                f"there is no image of the split {split!r} of {self.card.name} in {self.root}",
                expected=absent or "rows of that split",
                found=", ".join(f"{n:,} of {s}" for s, n in sorted(counts.items()))
                or (f"{plural(out, 'row')}, all of which the card leaves out" if out else "nothing"),
                remedy="choose another --split, or correct --data-root or the card",
            )
        if all(sample.image.size() < 0 for sample in samples):
            raise UserError(
                f"not one image of the split {split!r} is there, of {len(samples):,}",
                expected=f"{samples[0].image.name} in {self.root}, and so on",
                remedy="correct --data-root, or 'image' under the options of the card",
            )

    def notes(self) -> Sequence[str]:
        listing, unmatched = self.listing, self.listing.unmatched
        left_out = (
            f"images whose names do not fit the card's pattern, left out: {len(unmatched):,}" if unmatched else ""
        )
        dropped = sum(listing.left_out[reason] for reason in (LATER, CONTRADICTING))
        duplicates = f"duplicate rows left out (duplicates: {self.layout.duplicates}): {dropped:,}" if dropped else ""
        return tuple(filter(None, (*self.layout.notes, left_out, duplicates, unread(listing.unread))))

    def identity(self) -> Mapping[str, Any]:
        """Return what the card says of images, where it says anything: samples with the same ids may have others."""
        return {key: self.card.options[key] for key in ("image", "pixels", "duplicates") if key in self.card.options}

    def verify(self) -> list[Check]:
        """Check labels, splits, persons and files against the card."""
        from coabench_faces.verify import verify

        return verify(self.card, self.tree, self.listing)


def _with_table(card: Card, root: Path) -> Card:
    """Return a card whose table is the data root."""
    named = next((option for option in ("table", "files") if option in card.options), None)
    if named is not None:
        raise UserError(
            f"--data-root {root} is a table, and {card.name} says where its own are",
            expected=f"the folder in which {card.options[named]} is",
            remedy=f"name that folder; or, for a card of yours, leave {named!r} out of its options",
        )
    return replace(card, options={**card.options, "table": root.name})


_HINTS = {
    "split": "name the value under 'split_values' in the options of the card (null leaves such rows out)",
    "id": "name a column with one value an image (id: COLUMN), remove one of the rows, or, if they name one image, say "
    "under the options of the card which counts (duplicates: first, or drop-contradictions)",
    "duplicate": "remove one of the rows, or say under the options of the card which counts (duplicates: first, or "
    "drop-contradictions)",
    "outside": "choose a data root that holds all images, or correct the file",
}
