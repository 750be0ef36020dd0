"""Where the files of a set lie: in a folder, or packed into one archive."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from coabench.base.files import replacing
from coabench.base.reading import DATA, is_file, is_folder, read_bytes, what_is_at
from coabench.dataset import ImageFile
from coabench.errors import UserError


@dataclass(frozen=True)
class Storage:
    """The files of a set in the folder *root*, by names such as ``images/test/basic_test_00000.jpg``.

    Threads may share it.
    """

    root: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(file.relative_to(self.root).as_posix() for file in self.root.rglob("*") if file.is_file())

    def read(self, name: str) -> bytes:
        """Return the content of a file; FileNotFoundError where there is none, OSError where it cannot be read."""
        return read_bytes(self.root / name, DATA)

    def size(self, name: str) -> int:
        """Return the number of bytes of a file, or -1 where there is none."""
        return ImageFile(self.root, name).size()


class Archive(Storage):
    """The files in the ZIP archive *root*, as `pack` writes it."""

    @property
    def _zip(self) -> ZipFile:
        return _opened(self.root, os.getpid())

    def names(self) -> list[str]:
        return sorted(name for name in self._zip.namelist() if not name.endswith("/"))

    def read(self, name: str) -> bytes:
        try:
            member = self._zip.getinfo(name)
        except KeyError:
            raise FileNotFoundError(f"{self.root} holds no {name}") from None
        if member.file_size > DATA:  # no more than this is unpacked
            raise OSError(f"{name} in {self.root} has more than {DATA:,} bytes")
        try:
            return self._zip.read(member)
        except MemoryError:
            raise
        except Exception as error:  # each way of packing has errors of its own
            raise OSError(f"{name} in {self.root} cannot be unpacked: {error}") from None

    def size(self, name: str) -> int:
        try:
            return self._zip.getinfo(name).file_size
        except KeyError:
            return -1


@cache
def _opened(root: Path, process: int) -> ZipFile:
    """Open an archive, once in a process: forked processes would share the position in the file; threads need not."""
    try:
        return ZipFile(root)
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise UserError(
            f"{root} holds no set of synthetic faces",
            expected="a folder, or the ZIP archive of a set",
            found=f"another file ({error})",
            remedy="correct --data-root",
        ) from None
    except OSError as error:
        raise UserError(f"{root} cannot be read", found=str(error), remedy="correct --data-root") from None


@dataclass(frozen=True)
class Picture:
    """A picture of a set."""

    storage: Storage
    name: str

    def read(self) -> bytes:
        return self.storage.read(self.name)

    def size(self) -> int:
        return self.storage.size(self.name)


def open_storage(root: Path) -> Storage:
    """Return the files below *root*, a folder or an archive; `UserError` where there is neither."""
    if is_folder(root):
        return Storage(root)
    if is_file(root):
        return Archive(root)
    raise UserError(
        f"--data-root {root} is no set of synthetic faces",
        expected="the folder of a set of synthetic faces, or its ZIP archive",
        found=what_is_at(root),
        remedy="correct --data-root, or leave it away to use the set that comes with coabench",
    )


def pack(folder: Path, file: Path) -> None:
    """Write the files of *folder* into the ZIP archive *file*, replacing it; the same files give the same bytes.

    Pictures are stored as they are, text is deflated (another zlib may deflate it to other bytes).
    """
    storage = Storage(folder)
    with replacing(file) as beside, ZipFile(beside, "w") as archive:
        for name in storage.names():
            member = ZipInfo(name)  # dated 1980-01-01
            member.create_system, member.external_attr = 3, 0o100644 << 16
            kind = ZIP_STORED if name.endswith(".jpg") else ZIP_DEFLATED
            archive.writestr(member, storage.read(name), kind, compresslevel=9)
