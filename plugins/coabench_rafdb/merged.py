"""The layout of the Chain-of-Affect repository: both subsets in one folder, labels in LLaVA-style JSON files.

A basic image has one record; its answer is the label. A compound image has two, one for either order of its pair:
the prompt names the primary emotion, the answer is the secondary one. Ids read ``0001`` for a basic test image and
``001_1``, ``001_2`` for a compound one, so an id's length tells the subsets apart within a split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar, NamedTuple

from coabench.base.json import parse_json
from coabench.base.reading import JSON, why
from coabench.errors import UserError
from coabench.labels import fold
from coabench.support.tree import Tree
from coabench_rafdb.layout import Layout, OnDisk, Request, find_home, image_names, names_by_stem
from coabench_rafdb.listing import Entry, Listing, Stem, Subset, parse_name

FOLDERS = {"train": "train", "test": "valid"}
"""Split -> its folder in ``all/``: what the method validates on is RAF-DB's test split."""

_PRIMARY = re.compile(r"primary emotion conveyed by this image was (\w+)")
_ID = re.compile(r"(?:(?:train|test|valid)_)?[0-9]+(_[12])?")


class _Record(NamedTuple):
    """One question and answer about an image; *primary* is what the prompt gave away, if anything."""

    stem: Stem
    subset: Subset
    primary: str | None
    answer: str
    where: str


class Merged(Layout):
    """``all/train`` and ``all/valid`` with JSON files in or beside ``all/``."""

    name: ClassVar[str] = "merged"

    def __init__(self, request: Request, home: PurePosixPath) -> None:
        super().__init__(request, home)
        places = ((folder, entry) for folder in (home, home / "all") for entry in self.tree.entries(folder))
        self.jsons = sorted(folder / entry.name for folder, entry in places if entry.name.endswith(".json"))
        if not self.jsons:
            raise UserError(
                f"{self.tree.where(home)} has the folders of the merged layout, but no labels",
                expected="JSON files with id, image and conversations, in it or in its folder all/",
                found="no *.json",
                remedy="copy the JSON files there, or point --data-root at a copy in the official layout",
            )

    @classmethod
    def looks_like(cls, subset: Subset) -> str:
        return "all/train/*.jpg and all/valid/*.jpg with JSON files in or beside all/"

    @classmethod
    def find(cls, request: Request) -> Merged | None:
        tree = request.tree
        home = find_home(tree, lambda folder: _is_home(tree, folder), "RAF-DB in the merged layout")
        return cls(request, home) if home else None

    @cached_property
    def _names(self) -> dict[str, frozenset[str]]:
        return {split: frozenset(image_names(self.tree, self.home / "all" / f)) for split, f in FOLDERS.items()}

    @cached_property
    def _by_stem(self) -> dict[str, dict[str, str]]:
        return {split: names_by_stem(names) for split, names in self._names.items()}

    def read(self) -> Listing:
        listing = Listing()
        by_stem: dict[str, list[_Record]] = {}
        for record in self._records(listing):
            if record.subset == self.request.subset:
                by_stem.setdefault(record.stem.text, []).append(record)
        for records in by_stem.values():
            label = self._label(records, listing)
            if label is not None:
                stem = records[0].stem
                listing.add(Entry(stem, label, self._image(stem)), records[0].where)
        return listing

    def _records(self, listing: Listing) -> Iterator[_Record]:
        seen = False
        for path in self.jsons:
            file = str(path)
            try:
                data = parse_json(self.tree.read(path, JSON))
            except (OSError, ValueError) as error:
                listing.report("unreadable", file, "valid JSON", why(error))
                continue
            if not _holds_records(data):
                continue  # some other JSON file
            seen = True
            for number, raw in enumerate(data, start=1):
                record = self._parse(raw, f"{file}, record {number}", listing)
                if record:
                    yield record
        if not seen and not listing.problems:
            names = ", ".join(map(str, self.jsons))
            listing.report("unreadable", names, "a list of records with id, image and conversations", "none")

    def _parse(self, raw: Any, where: str, listing: Listing) -> _Record | None:
        try:
            identity, image = str(raw["id"]), str(raw["image"])
            prompt, answer = (str(turn["value"]) for turn in raw["conversations"])
        except (KeyError, TypeError, ValueError):
            listing.report("unreadable", where, "id, image and a conversation of two turns", repr(raw)[:80])
            return None
        stem, parts = parse_name(image), _ID.fullmatch(identity)
        if stem is None or parts is None:
            expected = "an id such as 0001 or 001_1 and an image such as test_…_aligned.jpg"
            listing.report("unreadable", where, expected, f"id {identity!r}, image {image!r}")
            return None
        subset: Subset = "compound" if parts[1] else "basic"
        primary = _PRIMARY.search(prompt)
        # Three independent signs of the subset. Where they disagree, none can be trusted.
        if not stem.fits(subset) or bool(primary) != (subset == "compound"):
            asked = f"asks for the {'secondary' if primary else 'primary'} emotion"
            expected = f"an image and a prompt of the {subset} subset, as the id {identity!r} says"
            listing.report("subset", where, expected, f"image {image!r}, and the prompt {asked}")
            return None
        return _Record(stem, subset, primary[1] if primary else None, answer.strip(), where)

    def _label(self, records: list[_Record], listing: Listing) -> str | None:
        if self.request.subset == "compound":
            return self._pair_label(records, listing)
        return self._basic_label(records, listing)

    def _basic_label(self, records: list[_Record], listing: Listing) -> str | None:
        first, *more = records
        for record in more:
            listing.report("duplicate", record.where, "every basic image once", f"{first.stem.text} again")
        return self._emotion(first.answer, first.where, listing)

    def _pair_label(self, records: list[_Record], listing: Listing) -> str | None:
        orders = [
            (self._emotion(r.primary or "", r.where, listing), self._emotion(r.answer, r.where, listing))
            for r in records
        ]
        if any(emotion is None for order in orders for emotion in order):
            return None
        where, name = records[0].where, records[0].stem.text
        (first, second), *others = orders
        if others != [(second, first)]:
            found = ", ".join(f"{a} then {b}" for a, b in orders)
            listing.report("contradiction", where, f"two records of {name}, one for either order of a pair", found)
            return None
        label = self.request.space.name_of(first or "", second or "")
        if label is None:
            listing.report("code", where, "one of the pairs of the card", f"{name}: {first} + {second}")
        return label

    def _emotion(self, text: str, where: str, listing: Listing) -> str | None:
        """Return the basic emotion as the card writes it; only case may differ."""
        emotion = {fold(name): name for name in self.request.space.basic}.get(fold(text))
        if emotion is None:
            listing.report("code", where, ", ".join(self.request.space.basic), repr(text))
        return emotion

    def _image(self, stem: Stem) -> str:
        usual, names = f"{stem.text}_aligned.jpg", self._names[stem.split]
        name = usual if usual in names else self._by_stem[stem.split].get(stem.text, usual)
        return str(self.home / "all" / FOLDERS[stem.split] / name)

    def image_folders(self) -> Iterable[PurePosixPath]:
        return [self.home / "all" / folder for folder in FOLDERS.values()]

    def on_disk(self) -> Iterator[OnDisk]:
        for split, names in self._names.items():
            for name in sorted(names):
                stem = parse_name(name)
                if stem is None or stem.fits(self.request.subset):  # the other subset lies in the same folder
                    yield OnDisk(str(self.home / "all" / FOLDERS[split] / name), split)

    def notes(self) -> tuple[str, ...]:
        names = ", ".join(map(str, self.jsons))
        return (f"merged layout: the labels are read from the answers in {names}",)


def _is_home(tree: Tree, folder: PurePosixPath) -> bool:
    return any(tree.is_folder(folder / "all" / name) for name in FOLDERS.values())


def _holds_records(data: Any) -> bool:
    return isinstance(data, list) and any(isinstance(r, dict) and {"image", "conversations"} <= set(r) for r in data)
