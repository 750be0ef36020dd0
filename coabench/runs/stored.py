"""The records of a log that is read again and again: in memory, or left in the file where they are many."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from coabench.base import cache
from coabench.base.jsonlines import read_line, read_lines
from coabench.base.lazy import Lazy
from coabench.base.reading import open_file
from coabench.errors import UserError
from coabench.runs.log import read_log

KEPT = 32 * 2**20
"""Bytes of a log whose records are kept: parsed they take four times as much."""

Record = Mapping[str, Any]
Made = TypeVar("Made")


def records_in(path: Path, each: Callable[[Record], object] | None = None) -> Sequence[Record]:
    """Return the records of a log, checked; errors as `coabench.runs.log.read_log`.

    Args:
        each: called with every record as it is read, so that the log need not be read again for it.
    """
    stamp = cache.stamp([path])  # before reading: what changes meanwhile makes another stamp
    offsets, kept = array("q"), list[Record]()
    few = stamp[0] is not None and stamp[0][0] <= KEPT
    for line in read_log(path):
        if each is not None:
            each(line.data)
        if few:
            kept.append(line.data)
        offsets.append(line.offset)
    return kept if len(kept) == len(offsets) else StoredRecords(path, offsets, stamp)


class StoredRecords(Sequence[Record]):
    """The records of a log that was checked, read when they are asked for: eight bytes are kept of each.

    Args:
        offsets: where the line of each begins.
        stamp: of the file that was checked; where it is another one, reading raises `UserError`.
    """

    def __init__(self, path: Path, offsets: Sequence[int], stamp: cache.Stamp) -> None:
        self._path, self._offsets, self._stamp = path, offsets, stamp

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, which: int) -> Record: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[Record]: ...
    def __getitem__(self, which: int | slice) -> Record | Sequence[Record]:
        self._check()
        with open_file(self._path) as file:
            if isinstance(which, slice):
                return [read_line(file, offset) for offset in self._offsets[which]]
            return read_line(file, self._offsets[which])

    def __iter__(self) -> Iterator[Record]:
        self._check()
        return (line.data for line in read_lines(self._path))

    def at(self, positions: Iterable[int]) -> Iterator[Record]:
        """Yield the records at these positions; the log is opened once."""
        self._check()
        with open_file(self._path) as file:
            for position in positions:
                yield read_line(file, self._offsets[position])

    def _check(self) -> None:
        if cache.stamp([self._path]) != self._stamp:
            raise UserError(f"the log {self._path} changed while it was read", remedy="run the same command again")


def records_at(records: Sequence[Record], positions: Iterable[int]) -> Iterator[Record]:
    """Yield the records at these positions, one at a time."""
    if isinstance(records, StoredRecords):
        return records.at(positions)
    return (records[position] for position in positions)


def changed(records: Sequence[Record], change: Callable[[Record], Made]) -> Sequence[Made]:
    """Return records, each changed: once, where they are in memory, else anew whenever they are read."""
    if isinstance(records, StoredRecords):
        return Lazy(len(records), lambda i: change(records[i]), lambda: map(change, records))
    return [*map(change, records)]
