"""The files below a data root as a tree that is only read: a folder here; what an archive holds, in `archives`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from coabench.base.reading import DATA, as_text, exists, is_folder, open_file, read_bytes

Name = str | PurePosixPath
"""The path of a file or folder relative to the data root, with ``/``; "" and "." are the data root itself."""


class Entry(NamedTuple):
    """What a folder holds under a name. A link to a folder *is_folder*, too."""

    name: str
    is_folder: bool
    is_link: bool = False


class Tree(ABC):
    """Files below a data root, by their names. Threads may share a tree, and it may be sent to a process."""

    root: Path

    @property
    def name(self) -> str:
        """What people call it."""
        return self.root.resolve().name

    def where(self, name: Name) -> str:
        """Return the path of a file for messages."""
        return str(self.root / name)

    @abstractmethod
    def entries(self, folder: Name = "") -> list[Entry]:
        """Return what a folder holds, sorted by name; nothing where there is no such folder."""

    @abstractmethod
    def is_folder(self, name: Name) -> bool:
        """Whether it is a folder, or a link to one."""

    @abstractmethod
    def exists(self, name: Name) -> bool:
        """Whether there is anything, if only a link that leads nowhere."""

    @abstractmethod
    def size(self, name: Name) -> int:
        """Return the number of bytes of a file, -1 where there is none."""

    @abstractmethod
    def open(self, name: Name, limit: int) -> BinaryIO:
        """Open a file of *limit* bytes at most, in which one may seek; `OSError` where it cannot be read."""

    @abstractmethod
    def read(self, name: Name, limit: int = DATA) -> bytes:
        """Return the content of a file of *limit* bytes at most; FileNotFoundError, or any `OSError`."""

    def read_text(self, name: Name, limit: int = DATA) -> str:
        """Return the text in a file, as `coabench.base.reading.read_text` does."""
        return as_text(self.read(name, limit))

    @abstractmethod
    def refused(self, name: Name) -> str | None:
        """Return why what stands there is never read, a link that leads out of the tree; None where nothing is."""

    def inner(self) -> Tree | None:
        """Return the only folder of an archive, which was packed with it or without; None where there is none."""
        return None

    def names(self, folder: Name = "") -> Iterator[str]:
        """Yield the names of all files below a folder, those in folders that are links left out."""
        for entry in self.entries(folder):
            name = str(PurePosixPath(folder, entry.name))
            if not entry.is_folder:
                yield name
            elif not entry.is_link:
                yield from self.names(name)

    def file(self, name: Name) -> TreeFile:
        """Return the image in a file, whether or not one is there."""
        return TreeFile(self, str(name))


@dataclass(frozen=True)
class TreeFile:
    """An image in a file of a tree."""

    tree: Tree
    name: str

    def read(self) -> bytes:
        """Return its bytes; `OSError` where it cannot be read."""
        return self.tree.read(self.name)

    def size(self) -> int:
        """Return the number of its bytes, -1 where there is none."""
        return self.tree.size(self.name)


@dataclass(frozen=True)
class FolderTree(Tree):
    """The files in a folder."""

    root: Path
    _inside: dict[Path, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def entries(self, folder: Name = "") -> list[Entry]:
        try:
            found = os.scandir(self.root / folder)
            return sorted(Entry(each.name, _leads_to_folder(each), each.is_symlink()) for each in found)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def is_folder(self, name: Name) -> bool:
        return is_folder(self.root / name)

    def exists(self, name: Name) -> bool:
        return exists(self.root / name)

    def size(self, name: Name) -> int:
        try:
            return (self.root / name).stat().st_size
        except (OSError, ValueError):  # of a name that no file can have
            return -1

    def open(self, name: Name, limit: int) -> BinaryIO:
        return open_file(self.root / name, limit)

    def read(self, name: Name, limit: int = DATA) -> bytes:
        return read_bytes(self.root / name, limit)

    def refused(self, name: Name) -> str | None:
        path = self.root / name
        if path.parent not in self._inside:
            self._inside[path.parent] = self._holds(path.parent)
        if path == self.root or (self._inside[path.parent] and (not path.is_symlink() or self._holds(path))):
            return None
        return "a link that leads out of the data root"

    def _holds(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
