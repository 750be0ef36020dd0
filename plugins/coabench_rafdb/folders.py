"""Unofficial copies of the basic subset: a folder per class, with or without CSV files.

A folder named ``3`` says nothing by itself: copies number their folders from 0, from 1 and in other orders. Numbered
folders are read only where CSV files carry RAF-DB's own codes, and then the CSV files alone decide.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import cached_property
from io import StringIO
from pathlib import PurePosixPath
from typing import ClassVar

from coabench.base.reading import why
from coabench.errors import UserError
from coabench.labels import fold
from coabench.support.verification import values_to_paste
from coabench_rafdb.layout import Layout, OnDisk, Request, find_home, folders_in, image_names
from coabench_rafdb.listing import Entry, Listing, Subset, parse_name

SPLITS = ("train", "test")


class Folders(Layout):
    """``train`` and ``test`` with a folder per class: named, or numbered beside ``*_labels.csv``."""

    name: ClassVar[str] = "folders"
    unofficial: ClassVar[str] = (
        "this is an unofficial copy of RAF-DB (a folder per class): its images may have been re-encoded, resized or "
        "re-split, so numbers on it need not agree with numbers on the official files"
    )

    def __init__(self, request: Request, home: PurePosixPath) -> None:
        super().__init__(request, home)
        self.csvs = self._find_csvs()
        self.words = request.space.spellings(request.space.names)
        numbered: dict[str, list[str]] = {}
        for folder in (f for split in SPLITS for f in self._classes(split) if f.name.isdecimal()):
            numbered.setdefault(folder.name, []).append(str(folder))
        if numbered and not self.csvs:
            where = home / "{split}/{label}/*"
            options, *values = values_to_paste(numbered, request.space)
            raise UserError(
                f"the numbered folders in {request.tree.where(home)} do not say which class they hold",
                expected="train_labels.csv and test_labels.csv beside them, or folders with names such as Surprise",
                found=", ".join(folders[0] for folders in list(numbered.values())[:7]),
                remedy="copies number their classes in different ways, so the labels would be guesses; "
                "get the CSV files of this copy, or the official files from the authors. If you know what the numbers "
                "mean, copy the card (`coabench datasets show raf-db-basic` says where it is), write `loader: faces` "
                "into it and, in place of its options, what each number stands for; check every line:\n    "
                + "\n    ".join([options, f'  files: "{where.as_posix()}"', *values]),
            )

    def _find_csvs(self) -> dict[str, PurePosixPath]:
        files: dict[str, PurePosixPath] = {}
        for folder in (self.home, self.home.parent):  # the CSV files lie beside DATASET/ or in it
            for split in SPLITS:
                path = folder / f"{split}_labels.csv"
                if self.tree.exists(path):
                    files.setdefault(split, path)
        return files

    def _classes(self, split: str) -> list[PurePosixPath]:
        return folders_in(self.tree, self.home / split)

    @classmethod
    def looks_like(cls, subset: Subset) -> str:
        return "train/ and test/ with a folder per class (unofficial copies, basic subset only)"

    @classmethod
    def find(cls, request: Request) -> Folders | None:
        if request.subset != "basic":
            return None
        words = request.space.spellings(request.space.names)

        def is_home(home: PurePosixPath) -> bool:
            classes = [folder.name for split in SPLITS for folder in folders_in(request.tree, home / split)]
            return any(name.isdecimal() or fold(name) in words for name in classes)

        home = find_home(request.tree, is_home, "RAF-DB with a folder per class")
        return cls(request, home) if home else None

    @cached_property
    def _files(self) -> list[tuple[str, PurePosixPath, str]]:
        """Every image on disk: split of its folder, folder of its class, name."""
        images = ((s, folder) for s in SPLITS for folder in self._classes(s))
        return [(s, folder, name) for s, folder in images for name in image_names(self.tree, folder)]

    def read(self) -> Listing:
        return self._read_csvs() if self.csvs else self._read_folders()

    def _read_folders(self) -> Listing:
        listing = Listing()
        for split, folder, name in self._files:
            where = str(folder / name)
            label = self.words.get(fold(folder.name))
            if label is None:
                listing.report("code", where, "a folder named after a basic emotion", repr(folder.name))
            else:
                self._add(listing, split, name, label, where, where)
        return listing

    def _read_csvs(self) -> Listing:
        listing = Listing()
        paths: dict[str, list[str]] = {}
        for _, folder, name in self._files:
            paths.setdefault(name, []).append(str(folder / name))
        for split, path in self.csvs.items():
            file = str(path)
            try:
                rows = list(csv.reader(StringIO(self.tree.read_text(path))))
            except (OSError, ValueError) as error:
                listing.report("unreadable", file, "a CSV file in UTF-8", why(error))
                continue
            except csv.Error as error:
                listing.report("unreadable", file, "a CSV file", str(error))
                continue
            if not rows or [cell.strip().casefold() for cell in rows[0]] != ["image", "label"]:
                found = repr(",".join(rows[0])) if rows else "an empty file"
                listing.report("unreadable", f"{file}, line 1", "the header image,label", found)
                continue
            for number, row in enumerate(rows[1:], start=2):
                if row:
                    self._read_row(listing, split, row, paths, f"{file}, line {number}")
        return listing

    def _read_row(self, listing: Listing, split: str, row: list[str], paths: dict[str, list[str]], where: str) -> None:
        if len(row) != 2:
            listing.report("unreadable", where, "an image name and a code", repr(",".join(row)))
            return
        name, code = (cell.strip() for cell in row)
        label = self.request.label_of(code)
        if label is None:
            listing.report("code", where, self.request.code_range(), repr(code))
            return
        files = paths.get(name, [])
        if len(files) > 1:
            listing.report("contradiction", where, f"one file {name}", " and ".join(files))
            return
        absent = str(self.home / split / code / name)
        self._add(listing, split, name, label, files[0] if files else absent, where)

    def _add(self, listing: Listing, split: str, name: str, label: str, image: str, where: str) -> None:
        stem = parse_name(name)
        if stem is None:
            listing.report("unreadable", where, "a RAF-DB name such as test_0001_aligned.jpg", repr(name))
        elif stem.split != split:
            listing.report("split", where, f"an image of the {split} split, named {split}_…", name)
        elif stem.fits("compound") and not stem.fits("basic"):
            listing.report("subset", where, "an image of the basic subset", f"{name}, a name of the compound subset")
        else:
            listing.add(Entry(stem, label, image), where)

    def image_folders(self) -> Iterable[PurePosixPath]:
        return [folder for split in SPLITS for folder in self._classes(split)]

    def on_disk(self) -> Iterator[OnDisk]:
        for split, folder, name in self._files:
            yield OnDisk(str(folder / name), split)
