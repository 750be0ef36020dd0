"""JSON lines: one object per line. A last line without its line break is torn, what a killed writer leaves: it does not
count when a file is read, and is cut off when it is written again."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from coabench.base.files import Closing, sync_folder
from coabench.base.json import FINITE, parse_json
from coabench.base.names import to_file
from coabench.base.reading import exists, open_file

LONGEST = 64 * 2**20
"""Bytes of a line."""

GONE = "it was deleted or moved while the job ran"


class Digest(Protocol):
    """A hash that grows, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> object: ...


class Line(NamedTuple):
    """A line: its number from 1, where it begins in bytes, and the object that it holds."""

    number: int
    offset: int
    data: dict[str, Any]


class InvalidLine(ValueError):
    """A line that holds no JSON object."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


def read_lines(path: Path, digest: Digest | None = None, *, skip_invalid: bool = False) -> Iterator[Line]:
    """Yield the lines of a file, in order; none where there is no such file.

    Args:
        digest: is updated with all that was read, a torn line included.
        skip_invalid: pass over lines that hold no object, instead of raising `InvalidLine`.

    Raises:
        InvalidLine: a line that holds no object, is longer than `LONGEST`, or what `parse_json` refuses.
        OSError: the file cannot be read.
    """
    import jsonlines

    if not exists(path):
        return
    with open_file(path) as file:
        lines = _WholeLines(file, digest)
        reader = jsonlines.Reader(lines, loads=_parse)
        try:
            for data in reader.iter(type=dict, skip_invalid=skip_invalid, skip_empty=skip_invalid):
                yield Line(lines.number, lines.offset, data)
        except jsonlines.InvalidLineError as error:
            raise InvalidLine(lines.number, str(error)) from None


def _parse(text: str | bytes) -> Any:
    return parse_json(text, FINITE)


class _WholeLines:
    """The lines of a file that end with a line break, and where the last one that was returned stands."""

    def __init__(self, file: BinaryIO, digest: Digest | None) -> None:
        self._file, self._digest = file, digest
        self.number = self.offset = self._end = 0

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(LONGEST):
            if self._digest is not None:
                self._digest.update(line)
            if len(line) == LONGEST:
                raise InvalidLine(self.number + 1, f"a line of more than {LONGEST:,} bytes")
            if line.endswith(b"\n"):
                self.number, self.offset, self._end = self.number + 1, self._end, self._end + len(line)
                yield line


def read_line(file: BinaryIO, offset: int) -> dict[str, Any]:
    """Return the object in the line that begins at *offset*."""
    file.seek(offset)
    data: dict[str, Any] = parse_json(file.readline(LONGEST), FINITE)
    return data


def encode(data: Mapping[str, Any]) -> bytes:
    """Return the line of an object; a lone surrogate becomes its JSON escape, NaN is refused with `ValueError`."""
    return to_file(json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n")


def write_whole(file: BinaryIO, data: bytes) -> None:
    """Write bytes to an unbuffered file, which may take them in pieces."""
    while data:
        data = data[file.write(data) :]


def check_there(path: Path, file: BinaryIO) -> None:
    """Raise `FileNotFoundError` where *path* no longer is the file that was opened."""
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
        raise FileNotFoundError(errno.ENOENT, GONE, str(path))


class LineWriter(Closing):
    """A file opened for adding lines, made where it is absent; a torn last line is cut off.

    Raises `OSError`, also where the file was deleted or moved since: POSIX would let one write on, into nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = path.open("ab", buffering=0)
        whole = _length_of_whole_lines(path)
        if whole < path.stat().st_size:
            self._file.truncate(whole)
        sync_folder(path.parent)

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add lines durably."""
        self.check_there()
        write_whole(self._file, b"".join(map(encode, lines)))
        os.fsync(self._file.fileno())

    def check_there(self) -> None:
        """Raise `FileNotFoundError` where the file was deleted or moved."""
        check_there(self.path, self._file)

    def close(self) -> None:
        self._file.close()


def _length_of_whole_lines(path: Path) -> int:
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
