"""ZIP and tar archives as trees of files: nothing is unpacked to disk, and what is in them is checked first.

A file is read by its place in the archive, from any thread or process. Compressed tar archives are refused: reading one
file of theirs means unpacking all that stands before it, and unpacking them once, into a folder that a user chooses, is
what the words of the error say.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from coabench.base.reading import DATA, NoPlainFile, is_file, is_folder, open_file, what_is_at, why
from coabench.errors import UserError, one_line
from coabench.support.packed import ARCHIVES, Member, Packed, opened
from coabench.support.tree import Entry, FolderTree, Name, Tree

__all__ = ["ARCHIVES", "Archive", "open_tree"]

LINK = "a link; links in archives are not followed"


def open_tree(root: Path) -> Tree:
    """Return the files in a folder, or in a ZIP or tar archive, whatever its name ends with.

    Raises:
        UserError: there is neither, or the archive cannot be read safely: cut off, encrypted, compressed as a whole,
            with names that lead out of it or stand there twice.
    """
    if is_folder(root):
        return FolderTree(root)
    try:
        status = root.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        archive = Archive(root, stamp)
        archive.entries()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{root} cannot be read", expected=f"a folder, or an archive ({', '.join(ARCHIVES)})",
            found=why(error) if is_file(root) else what_is_at(root), remedy="correct the path",
        ) from None  # fmt: skip
    return archive


@dataclass(frozen=True)
class Archive(Tree):
    """The files in an archive, or below the folder *prefix* of it.

    *stamp* tells the file from one that takes its place.
    """

    root: Path
    stamp: tuple[int, int, int]
    prefix: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.prefix).name or self.root.stem

    def where(self, name: Name) -> str:
        return str(self.root / self._full(name))

    @property
    def _packed(self) -> Packed:
        return opened(self.root, self.stamp, os.getpid())

    def _full(self, name: Name) -> str:
        full = str(PurePosixPath(self.prefix, name))
        return "" if full == "." else full

    def entries(self, folder: Name = "") -> list[Entry]:
        held = self._packed.folders.get(self._full(folder), {})
        return [held[name] for name in sorted(held)]

    def is_folder(self, name: Name) -> bool:
        return self._full(name) in self._packed.folders

    def exists(self, name: Name) -> bool:
        return self.is_folder(name) or self._full(name) in self._packed.files

    def size(self, name: Name) -> int:
        member = self._packed.files.get(self._full(name))
        return -1 if member is None or member.is_link else member.size

    def open(self, name: Name, limit: int) -> BinaryIO:
        member = self._member(name, limit)
        start = self._packed.start(member)
        if start is None:
            return io.BytesIO(self.read(name, min(limit, DATA)))
        return io.BufferedReader(_Slice(open_file(self.root), start, member.size))

    def read(self, name: Name, limit: int = DATA) -> bytes:
        member = self._member(name, limit)
        try:
            data = self._packed.read(member)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # each way of packing has errors of its own
            raise NoPlainFile(self.where(name), f"damaged in the archive: {one_line(error)}") from None
        if len(data) != member.size:
            raise NoPlainFile(self.where(name), f"{len(data):,} bytes instead of {member.size:,}")
        return data

    def _member(self, name: Name, limit: int) -> Member:
        """Return a file that may be read; `OSError` for any other."""
        member = self._packed.files.get(self._full(name))
        if member is None:
            if self.is_folder(name):
                raise NoPlainFile(self.where(name), "a folder, not a file")
            raise FileNotFoundError(2, "no such file in the archive", self.where(name))
        if member.is_link:
            raise NoPlainFile(self.where(name), LINK)
        if member.size > limit:
            raise NoPlainFile(self.where(name), f"a file of {member.size:,} bytes; at most {limit:,} are read")
        return member

    def refused(self, name: Name) -> str | None:
        files, full = self._packed.files, PurePosixPath(self._full(name))
        links = (files[str(path)].is_link for path in (full, *full.parents) if str(path) in files)
        return LINK if any(links) else None

    def inner(self) -> Tree | None:
        entries = [entry for entry in self.entries() if not entry.name.startswith(".")]
        if len(entries) != 1 or not entries[0].is_folder:
            return None
        return replace(self, prefix=self._full(entries[0].name))


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own, which closes it."""

    def __init__(self, file: io.BufferedReader, start: int, size: int) -> None:
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence])
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._position)
        read = self._file.readinto(memoryview(buffer)[: max(0, self._size - self._position)])
        self._position += read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()
