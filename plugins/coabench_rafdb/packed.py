"""Folders that are packed beside where they belong, as RAF-DB comes: ``Image/aligned.zip`` for ``Image/aligned``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from coabench.base.reading import DATA
from coabench.support.archives import open_tree
from coabench.support.tree import Entry, FolderTree, Name, Tree


def with_packed(tree: Tree, folder: PurePosixPath) -> Tree:
    """Return the tree with the content of ``FOLDER.zip`` as *folder*, where that is not there; else as it is.

    Raises:
        UserError: the archive cannot be read safely.
    """
    name = folder.with_suffix(".zip")
    if not isinstance(tree, FolderTree | Mounted) or tree.is_folder(folder) or tree.size(name) < 0:
        return tree
    archive = open_tree(tree.root / name)
    inner = archive.inner()
    named = inner is not None and inner.name == folder.name
    return Mounted(tree.root, tree, folder, inner if inner is not None and named else archive)


@dataclass(frozen=True)
class Mounted(Tree):
    """A tree in which a folder comes from another one."""

    root: Path
    outer: Tree
    folder: PurePosixPath
    held: Tree

    def _at(self, name: Name) -> tuple[Tree, PurePosixPath]:
        path = PurePosixPath(name)
        inside = path.is_relative_to(self.folder)
        return (self.held, path.relative_to(self.folder)) if inside else (self.outer, path)

    def where(self, name: Name) -> str:
        tree, path = self._at(name)
        return tree.where(path)

    def entries(self, folder: Name = "") -> list[Entry]:
        tree, path = self._at(folder)
        entries = tree.entries(path)
        beside = tree is self.outer and path == self.folder.parent
        return sorted([*entries, Entry(self.folder.name, is_folder=True)]) if beside else entries

    def is_folder(self, name: Name) -> bool:
        tree, path = self._at(name)
        return tree.is_folder(path)

    def exists(self, name: Name) -> bool:
        tree, path = self._at(name)
        return tree.exists(path)

    def size(self, name: Name) -> int:
        tree, path = self._at(name)
        return tree.size(path)

    def open(self, name: Name, limit: int) -> BinaryIO:
        tree, path = self._at(name)
        return tree.open(path, limit)

    def read(self, name: Name, limit: int = DATA) -> bytes:
        tree, path = self._at(name)
        return tree.read(path, limit)

    def refused(self, name: Name) -> str | None:
        tree, path = self._at(name)
        return tree.refused(path)
