"""What a layout is: one of the ways in which copies of RAF-DB lie on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from coabench.errors import UserError
from coabench.labels import LabelSpace
from coabench.support.images import SUFFIXES
from coabench.support.tree import Tree
from coabench_rafdb.listing import Listing, Stem, Subset, parse_name


@dataclass(frozen=True)
class Request:
    """What to look for: a subset below a data root, its label space, and ``aligned`` or ``original`` images.

    Paths of folders and files are relative to the data root.
    """

    tree: Tree
    subset: Subset
    space: LabelSpace
    images: str

    def code_range(self) -> str:
        codes = [label.code for label in self.space.labels if label.code is not None]
        return f"a whole number from {min(codes)} to {max(codes)}"

    def label_of(self, code: str) -> str | None:
        """Return the label of a code as written, or None for anything that is not exactly a code of the card."""
        try:
            return self.space.from_code(int(code)) if code.isascii() and code.isdecimal() else None
        except KeyError:
            return None


@dataclass(frozen=True)
class OnDisk:
    """An image file where a layout keeps images; *split* is what its folder says, if it says any."""

    path: str
    split: str | None


class Layout(ABC):
    """A copy of RAF-DB on this machine.

    Attributes:
        name: what ``--set layout=`` calls it.
        unofficial: why numbers on this copy need care, or None.
        has_attributes: whether copies of this kind carry perceived gender, race and age group.
        has_originals: whether they have the original images beside the aligned ones.

    Args:
        home: the folder of the copy.

    Raises:
        UserError: the copy lacks what is asked for.
    """

    name: ClassVar[str]
    unofficial: ClassVar[str | None] = None
    has_attributes: ClassVar[bool] = False
    has_originals: ClassVar[bool] = False

    def __init__(self, request: Request, home: PurePosixPath) -> None:
        if request.images != "aligned" and not self.has_originals:
            raise UserError(
                f"the {self.name} layout in {request.tree.root} has no original images",
                expected="Image/original in the official layout",
                remedy="leave out --set images=original, or point --data-root at an official copy",
            )
        self.request, self.tree, self.home = request, request.tree, home

    @classmethod
    @abstractmethod
    def looks_like(cls, subset: Subset) -> str:
        """Return the files this layout is known by, for error messages."""

    @classmethod
    @abstractmethod
    def find(cls, request: Request) -> Layout | None:
        """Return the copy below the data root, None where there is none, `UserError` where it is unusable."""

    @abstractmethod
    def read(self) -> Listing:
        """Read the labels. Whatever cannot be trusted becomes a problem of the listing; nothing is raised."""

    @abstractmethod
    def on_disk(self) -> Iterator[OnDisk]:
        """Yield every image file of the subset, labelled or not."""

    @abstractmethod
    def image_folders(self) -> Iterable[PurePosixPath]:
        """Return the folders in which the images lie."""

    def other_files(self) -> Iterator[str]:
        """Yield every file that lies where images do and is none, but for hidden ones."""
        for folder in self.image_folders():
            for entry in self.tree.entries(folder):
                path = folder / entry.name
                if not entry.is_folder and not path.name.startswith(".") and path.suffix.lower() not in SUFFIXES:
                    yield str(path)

    def attributes_file(self, stem: Stem) -> PurePosixPath | None:
        """Return where the attributes of an image would be, or None where the layout has none."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Return what the user must know about this copy."""
        return (self.unofficial,) if self.unofficial else ()


def image_names(tree: Tree, folder: PurePosixPath) -> list[str]:
    """Return the names of the image files of a folder, sorted; none where there is no such folder."""
    names = (entry.name for entry in tree.entries(folder))
    return [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES and not name.startswith(".")]


def names_by_stem(names: Iterable[str]) -> dict[str, str]:
    """Return the text of a stem -> the name of its image; of several the aligned one."""
    stems = ((parse_name(name), name) for name in sorted(names))  # which lists a.jpg before a_aligned.jpg
    return {stem.text: name for stem, name in stems if stem}


def folders_in(tree: Tree, folder: PurePosixPath) -> list[PurePosixPath]:
    """Return the folders of a folder, sorted; none where there is no such folder."""
    return [folder / entry.name for entry in tree.entries(folder) if entry.is_folder]


def find_home(tree: Tree, fits: Callable[[PurePosixPath], bool], what: str) -> PurePosixPath | None:
    """Return the folder that *fits*: the data root, or else the one folder in it that does.

    Raises:
        UserError: several folders in the data root fit. Choosing one would be guessing.
    """
    root = PurePosixPath()
    if fits(root):
        return root
    inside = [folder for folder in folders_in(tree, root) if fits(folder)]
    if len(inside) > 1:
        raise UserError(
            f"{tree.root} holds several copies of {what}",
            expected="one",
            found=", ".join(folder.name for folder in inside),
            remedy=f"point --data-root at one of them, such as {tree.where(inside[0])}",
        )
    return inside[0] if inside else None
