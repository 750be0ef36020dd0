"""An open ZIP or tar archive: what is in it, checked before anything is read, and where the bytes of each file are."""

from __future__ import annotations

import re
import stat
import struct
import tarfile
import weakref
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import BinaryIO

from coabench.base.reading import NoPlainFile, open_file
from coabench.errors import UserError, one_line
from coabench.support.tree import Entry

ARCHIVES = (".zip", ".tar")
"""The kinds of archives that are read, for the ``root_files`` of a loader."""
ENTRIES = 2_000_000
"""Files and folders in an archive."""
LONGEST, DEEPEST = 4096, 64
"""Characters of a name, and folders in one another."""
IGNORED = "__MACOSX/"
"""Where macOS packs what its file systems know of files beside their content."""
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}
"""How compressed files begin -> by what they are."""


@dataclass(frozen=True)
class Member:
    """A file of an archive: its size unpacked, and what finds it again."""

    size: int
    found: zipfile.ZipInfo | int
    """Of a tar archive, where its bytes begin."""
    is_link: bool = False


class Packed(ABC):
    """An open archive.

    Attributes:
        files: name -> file or link.
        folders: name -> what is in it; "" is the archive itself.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, Member] = {}
        self.folders: dict[str, dict[str, Entry]] = {"": {}}
        for number, (name, member) in enumerate(self.members(), start=1):
            if number > ENTRIES:
                raise _refused(root, f"more than {ENTRIES:,} files")
            if not name.startswith(IGNORED):
                self._add(name, member)

    @abstractmethod
    def members(self) -> Iterator[tuple[str, Member | None]]:
        """Yield name and file; None for a folder."""

    @abstractmethod
    def start(self, member: Member) -> int | None:
        """Return where the bytes of a file begin; None where they are compressed."""

    @abstractmethod
    def read(self, member: Member) -> bytes:
        """Return the content of a file, with whatever error a damaged one leads to."""

    def _add(self, name: str, member: Member | None) -> None:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name):
            raise _refused(self.root, f"a name that leads out of it: {name!r}")
        if len(name) > LONGEST or len(parts) > DEEPEST:
            raise _refused(
                self.root, f"a name of {len(name):,} characters, {len(parts):,} folders deep: {name[:40]!r}…"
            )
        path = "/".join(parts)
        for depth in range(len(parts) - (member is not None)):
            self._add_folder("/".join(parts[:depth]), parts[depth])
        if member is None:
            return
        if path in self.files or path in self.folders:
            raise _refused(self.root, f"{path!r} twice")
        self.files[path] = member
        self.folders["/".join(parts[:-1])][parts[-1]] = Entry(parts[-1], is_folder=False, is_link=member.is_link)

    def _add_folder(self, parent: str, name: str) -> None:
        path = f"{parent}/{name}" if parent else name
        if path in self.files:
            raise _refused(self.root, f"{path!r} twice, as a file and as a folder")
        if path not in self.folders:
            self.folders[path] = {}
            self.folders[parent][name] = Entry(name, is_folder=True)


class _Zip(Packed):
    def __init__(self, root: Path) -> None:
        file = open_file(root)
        weakref.finalize(self, file.close)
        try:
            self._zip = zipfile.ZipFile(file)
        except Exception as error:  # whatever a damaged directory leads to
            raise _refused(root, f"a ZIP archive that is cut off or damaged ({one_line(error)})") from None
        super().__init__(root)

    def members(self) -> Iterator[tuple[str, Member | None]]:
        ways = set()
        for info in self._zip.infolist():
            name = info.filename.replace("\\", "/")  # as old programs for Windows write it
            if name.endswith("/"):
                yield name, None
                continue
            way = (info.compress_type, info.flag_bits & 1)
            if way not in ways:
                ways.add(way)
                self._check(info)
            yield name, Member(info.file_size, info, stat.S_ISLNK(info.external_attr >> 16))

    def _check(self, info: zipfile.ZipInfo) -> None:
        """Refuse an archive whose way of packing this Python does not unpack, encrypted ones above all."""
        try:
            self._zip.open(info).close()
        except NotImplementedError as error:
            raise _refused(self.root, f"{info.filename!r}, packed in a way that is not read ({error})") from None
        except RuntimeError:
            raise _refused(self.root, f"{info.filename!r}, which is encrypted") from None
        except Exception:  # a damaged file, which is an error of its sample
            return

    def start(self, member: Member) -> int | None:
        info = member.found
        assert isinstance(info, zipfile.ZipInfo)
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        with open_file(self.root) as file:
            file.seek(info.header_offset)
            header = file.read(30)
        if len(header) < 30:
            raise NoPlainFile(self.root / info.filename, "it is cut off")
        name, extra = struct.unpack_from("<HH", header, 26)
        return info.header_offset + 30 + int(name) + int(extra)

    def read(self, member: Member) -> bytes:
        assert isinstance(member.found, zipfile.ZipInfo)
        return self._zip.read(member.found)


class _Tar(Packed):
    def members(self) -> Iterator[tuple[str, Member | None]]:
        with open_file(self.root) as file:
            try:
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    yield from self._listed(tar)
                    file.seek(tar.offset)
                    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # which tarfile takes for the end
                        raise _refused(self.root, "a tar archive that is damaged")
            except tarfile.TarError as error:
                damaged = f"a tar archive that is cut off or damaged ({one_line(error)})"
                raise _refused(self.root, damaged if _is_tar(file) else "another file") from None

    def _listed(self, tar: tarfile.TarFile) -> Iterator[tuple[str, Member | None]]:
        while (info := tar.next()) is not None:
            name = info.name.rstrip("/")
            if info.isdir():
                yield name, None
            elif info.issym():
                yield name, Member(0, 0, is_link=True)
            elif info.islnk():  # the same file under a second name
                yield name, self.files.get("/".join(PurePosixPath(info.linkname).parts), Member(0, 0, is_link=True))
            elif info.isreg() and not info.issparse():
                yield name, Member(info.size, info.offset_data)
            else:
                raise _refused(self.root, f"{info.name!r}, which is no plain file")

    def start(self, member: Member) -> int | None:
        assert isinstance(member.found, int)
        return member.found

    def read(self, member: Member) -> bytes:
        assert isinstance(member.found, int)
        with open_file(self.root) as file:
            file.seek(member.found)
            return file.read(member.size)


def _is_tar(file: BinaryIO) -> bool:
    """Whether a file begins as tar archives have since 1988."""
    file.seek(257)
    return file.read(5) == b"ustar"


@lru_cache(maxsize=8)
def opened(root: Path, stamp: tuple[int, int, int], process: int) -> Packed:
    """Open an archive, once in a process: forked processes would share the position in the file; threads need not."""
    with open_file(root) as file:
        start = file.read(8)
    compressed = next((by for mark, by in _COMPRESSED.items() if start.startswith(mark)), None)
    if compressed:
        raise UserError(
            f"{root} is compressed as a whole, by {compressed}, so that no file in it can be read by itself",
            expected=f"a folder, or an archive ({', '.join(ARCHIVES)})",
            remedy=f"unpack it: mkdir FOLDER && tar -xf {quote(str(root))} -C FOLDER; and name the folder",
        )
    return _Zip(root) if start.startswith((b"PK\3\4", b"PK\5\6")) else _Tar(root)


def _refused(root: Path, found: str) -> UserError:
    return UserError(
        f"{root} cannot be used as a data set",
        expected=f"an archive ({', '.join(ARCHIVES)}) of plain files, each there once, neither encrypted nor cut off",
        found=found,
        remedy="correct the path; or unpack the archive, look at what is in it, and name the folder",
    )
