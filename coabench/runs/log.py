"""A log of records: JSON lines, written durably, of which a torn last line is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from coabench.base.files import Closing, sync_folder
from coabench.errors import JobError, UserError

FIELDS = ("id", "target", "prediction", "status", "reason", "turns")
"""What every record has."""


class Digest(Protocol):
    """A hash that grows, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> object: ...


def read_log(path: Path, digest: Digest | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of a log, in order; none where there is no such file.

    Args:
        digest: is updated with all that was read, so that a log need not be read twice for its hash.

    Raises:
        UserError: a line that is no record, with its number.
    """
    import jsonlines

    if not path.exists():
        return
    number = 0
    with path.open("rb") as file:
        try:
            reader = jsonlines.Reader(_lines(file, digest), loads=json.loads)
            for number, record in enumerate(reader.iter(type=dict), start=1):
                missing = set(FIELDS) - set(record)
                if missing:
                    raise _damaged(path, number, f"no field {min(missing)!r}")
                yield record
        except (jsonlines.InvalidLineError, UnicodeDecodeError) as error:
            raise _damaged(path, number + 1, str(error)) from None


def _lines(file: BinaryIO, digest: Digest | None) -> Iterator[bytes]:
    for line in file:
        if digest is not None:
            digest.update(line)
        if line.endswith(b"\n"):
            yield line


def _damaged(path: Path, number: int, found: str) -> UserError:
    return UserError(
        f"{path}: line {number} is no record",
        found=found,
        remedy="the log was edited or damaged: restore it, or start anew with --overwrite",
    )


class LogWriter(Closing):
    """A log opened for adding records."""

    def __init__(self, path: Path) -> None:
        """Open the log, made where it is absent; a torn last line is cut off."""
        self.path = path
        self._file = path.open("ab", buffering=0)
        whole = _whole_lines(path)
        if whole < path.stat().st_size:
            self._file.truncate(whole)
        sync_folder(path.parent)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a batch, durably.

        Raises:
            JobError: the disk is full or gone; the records before this batch are safe.
        """
        text = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in records)
        left = text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JobError(
                f"the log {self.path} cannot be written",
                found=error.strerror or str(error),
                remedy="the records before are safe: make room and run the same command again",
            ) from None

    def close(self) -> None:
        self._file.close()


def _whole_lines(path: Path) -> int:
    """Return the length in bytes of the part of a file that ends with a line break."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        while position > 0:
            step = min(65536, position)
            file.seek(position - step)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                return position - step + found + 1
            position -= step
    return 0
