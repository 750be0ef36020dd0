"""Files that are zip archives: what is in them is bounded before it is unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coabench.base.reading import DATA
from coabench.errors import UserError, one_line

INSTALL = "pip install 'coabench[inspect]'"
ENTRIES = 250_000
"""Files in an archive."""
ENTRY = 256 * 2**20
"""Bytes of one of them, unpacked."""


class Archive:
    """An archive whose entries can be read without surprises."""

    def __init__(self, path: Path, data: bytes, what: str, remedy: str) -> None:
        """Open an archive.

        Args:
            what, remedy: what the file should be, and what helps where it is not, for error messages.

        Raises:
            UserError: it is no zip archive, or has more or larger entries than are read.
        """
        self._path, self._what, self._remedy = path, what, remedy
        try:
            self._zip: zipfile.ZipFile = _zipfile().ZipFile(io.BytesIO(data))
        except Exception as error:  # whatever a damaged directory leads to
            raise self._refused(f"no zip archive that can be read ({one_line(error)})") from None
        entries = self._zip.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > ENTRIES:
            raise self._refused(f"{len(entries):,} files in it; at most {ENTRIES:,} are read")
        if unpacked > DATA or any(entry.file_size > ENTRY for entry in entries):
            raise self._refused(f"{unpacked:,} bytes unpacked; at most {DATA:,} are read, {ENTRY:,} of a file")

    @property
    def names(self) -> Sequence[str]:
        """The names of the entries."""
        return self._zip.namelist()

    def read(self, name: str) -> bytes:
        """Return an entry, unpacked.

        Raises:
            UserError: it is not there, damaged, encrypted, larger than it says, or packed in a way that this Python
                does not know.
        """
        try:
            with self._zip.open(name) as file:
                data = file.read(self._zip.getinfo(name).file_size + 1)
        except NotImplementedError:
            found = f"{name!r} is packed in a way that this Python does not unpack, Zstandard perhaps"
            raise self._refused(found, f"{INSTALL}; or {self._remedy}") from None
        except Exception as error:  # each way of packing has errors of its own
            raise self._refused(f"{name!r}: {one_line(error)}") from None
        return data

    def _refused(self, found: str, remedy: str = "") -> UserError:
        return UserError(
            f"{self._path.name} cannot be read", expected=self._what, found=found, remedy=remedy or self._remedy
        )


def _zipfile() -> Any:
    """Return the module that unpacks Zstandard, as that of Python 3.14 does, or at least deflate."""
    try:
        from backports.zstd import zipfile as backport
    except ImportError:
        return zipfile
    return backport
