"""The layout in which the authors of RAF-DB hand it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import ClassVar

from coabench.base.reading import why
from coabench.errors import UserError
from coabench.support.tree import Tree
from coabench_rafdb.layout import Layout, OnDisk, Request, find_home, image_names, names_by_stem
from coabench_rafdb.listing import Entry, Listing, Stem, Subset, parse_name
from coabench_rafdb.packed import with_packed

LABEL_FILES = ("list_patition_label.txt", "list_partition_label.txt")
"""RAF-DB spells it the first way; corrected copies exist."""


ANNOTATIONS = "Annotation/manual"


class Official(Layout):
    """``basic/`` or ``compound/`` with ``Image``, ``EmoLabel`` and ``Annotation``."""

    name: ClassVar[str] = "official"
    has_attributes: ClassVar[bool] = True
    has_originals: ClassVar[bool] = True

    def __init__(self, request: Request, home: PurePosixPath) -> None:
        super().__init__(request, home)
        self.images = home / "Image" / request.images
        for folder in (self.images, home / ANNOTATIONS):
            self.tree = with_packed(self.tree, folder)
        self.labels = self._label_file()
        if not self.tree.is_folder(self.images):
            zipped = self.images.with_suffix(".zip")
            what = self.tree.where(zipped) if self.tree.exists(zipped) else "the images there, or set images=…"
            raise UserError(
                f"there is no folder {self.tree.where(self.images)}",
                expected=f"the {request.images} images of RAF-DB's {request.subset} subset",
                found=self._names_in(home / "Image"),
                remedy=f"unpack {what}",
            )

    def _names_in(self, folder: PurePosixPath) -> str:
        names = [entry.name for entry in self.tree.entries(folder)]
        return ", ".join(names[:5]) or f"nothing in {folder.name}/"

    def _label_file(self) -> PurePosixPath:
        folder = self.home / "EmoLabel"
        present = [folder / name for name in LABEL_FILES if self.tree.exists(folder / name)]
        if not present:
            raise UserError(
                f"{self.tree.where(self.home)} has no label file",
                expected=" or ".join(f"EmoLabel/{name}" for name in LABEL_FILES),
                found=self._names_in(folder),
                remedy="copy the label file of RAF-DB there",
            )
        if len(present) == 2 and _differ(self.tree, *present):
            raise UserError(
                f"{self.tree.where(folder)} holds two label files that differ",
                expected="one label file, or two equal ones",
                found=" and ".join(LABEL_FILES),
                remedy="remove the one that is not RAF-DB's own",
            )
        return present[0]

    @classmethod
    def looks_like(cls, subset: Subset) -> str:
        return f"{subset}/EmoLabel/{LABEL_FILES[0]} with {subset}/Image/aligned/*.jpg"

    @classmethod
    def find(cls, request: Request) -> Official | None:
        subset, tree, root = request.subset, request.tree, PurePosixPath()
        other = "compound" if subset == "basic" else "basic"
        if _is_subset_folder(tree, root) and tree.name.lower() != other:
            return cls(request, root)
        parent = find_home(tree, lambda folder: _is_subset_folder(tree, folder / subset), f"RAF-DB's {subset} subset")
        return cls(request, parent / subset) if parent else None

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(image_names(self.tree, self.images))

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        return names_by_stem(self._names)

    def read(self) -> Listing:
        listing = Listing()
        file = str(self.labels)
        try:
            lines = self.tree.read_text(self.labels).split("\n")
        except (OSError, ValueError) as error:
            listing.report("unreadable", file, "a text file in UTF-8", why(error))
            return listing
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._read_line(line, f"{file}, line {number}", listing)
        self._check_subset(file, listing)
        return listing

    def _read_line(self, line: str, where: str, listing: Listing) -> None:
        fields = line.split()
        stem = parse_name(fields[0])
        if len(fields) != 2 or stem is None:
            listing.report("unreadable", where, "an image name and a code: 'test_… 4'", repr(line.strip()))
            return
        label = self.request.label_of(fields[1])
        if label is None:
            listing.report("code", where, self.request.code_range(), repr(fields[1]))
            return
        listing.add(Entry(stem, label, str(self.images / self._image_name(stem))), where)

    def _image_name(self, stem: Stem) -> str:
        usual = f"{stem.text}_aligned.jpg" if self.request.images == "aligned" else f"{stem.text}.jpg"
        return usual if usual in self._names else self._by_stem.get(stem.text, usual)

    def _check_subset(self, file: str, listing: Listing) -> None:
        """Refuse the label file of the other subset: its low codes would pass for this one's."""
        stems = [entry.stem for entry in listing.entries.values()]
        other: Subset = "compound" if self.request.subset == "basic" else "basic"
        if stems and all(s.fits(other) for s in stems) and not any(s.fits(self.request.subset) for s in stems):
            expected = f"the images of the {self.request.subset} subset"
            listing.report("subset", file, expected, f"names of the {other} subset, such as {stems[0].text}")

    def on_disk(self) -> Iterator[OnDisk]:
        for name in sorted(self._names):
            yield OnDisk(str(self.images / name), None)

    def image_folders(self) -> Iterable[PurePosixPath]:
        return [self.images]

    def attributes_file(self, stem: Stem) -> PurePosixPath:
        return self.home / ANNOTATIONS / f"{stem.text}_manu_attri.txt"


def _differ(tree: Tree, one: PurePosixPath, other: PurePosixPath) -> bool:
    try:
        return tree.read(one) != tree.read(other)
    except OSError:  # which reading the first of them says, or which is no copy of it
        return True


def _is_subset_folder(tree: Tree, folder: PurePosixPath) -> bool:
    return tree.is_folder(folder / "EmoLabel") or tree.is_folder(folder / "Image")
