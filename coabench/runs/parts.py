"""The logs of several processes that fill one run, until they are merged into the run's own log.

A part holds any records in any order. A sample is in one of them, in the log, or missing; where it is in several (its
process was killed between two steps of merging), the records are equal.
"""

from __future__ import annotations

import os
import secrets
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from coabench.base.files import replacing, sync_folder
from coabench.base.json import FINITE, parse_json
from coabench.base.reading import exists, open_file
from coabench.errors import JobError, UserError
from coabench.runs.log import LogWriter, read_log

FOLDER = "parts"
ABSENT = -1


class Parts:
    """The parts of a run.

    Args:
        folder: where they are; need not exist.
        ids: the samples of the run, in order; none to ignore existing parts.
    """

    def __init__(self, folder: Path, ids: Sequence[str] = ()) -> None:
        self._folder = folder
        self._files = sorted(folder.glob("*.jsonl")) if ids else []
        self._file = array("h", [ABSENT]) * (len(ids) if self._files else 0)
        self._offset = array("q", [0]) * len(self._file)
        if self._files:
            self._scan(ids)

    def __bool__(self) -> bool:
        return bool(self._files)

    def __contains__(self, position: int) -> bool:
        return bool(self._files) and self._file[position] != ABSENT

    def count(self, first: int) -> int:
        """Return how many samples from the position *first* on are here."""
        return sum(number != ABSENT for number in self._file[first:])

    def _scan(self, ids: Sequence[str]) -> None:
        """Find the records: which file, and where in it."""
        positions = {name: position for position, name in enumerate(ids)}
        for number, path in enumerate(self._files):
            for line in read_log(path):
                position = positions.get(str(line.data["id"]))
                if position is None:
                    raise UserError(
                        f"{path} holds a record of no sample of this run",
                        found=str(line.data["id"]),
                        remedy="edited, or of another run: remove it, or start anew with --overwrite",
                    )
                self._file[position], self._offset[position] = number, line.offset

    def writer(self) -> LogWriter:
        """Open a part of this process's own."""
        self._folder.mkdir(exist_ok=True)
        return LogWriter(self._folder / f"{secrets.token_hex(8)}.jsonl")

    def records(self, first: int) -> Iterator[dict[str, Any]]:
        """Yield the records of the samples from the position *first* on that are here."""
        for line in self._in_order(first):
            yield parse_json(line, FINITE)

    def merge(self, log: Path, done: int) -> None:
        """Write the run's log anew: its first *done* records, then those of the parts; then delete the parts.

        Raises:
            JobError: the disk is full or gone; log and parts are as before.
        """
        try:
            with replacing(log) as merged, merged.open("wb") as file:
                if exists(log):
                    with open_file(log) as old:
                        for line, _ in zip(old, range(done), strict=False):
                            file.write(line)
                file.writelines(self._in_order(done))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(log.parent)
        except OSError as error:
            raise JobError(
                f"the log {log} cannot be written",
                found=error.strerror or str(error),
                remedy="all records are safe: make room and run the same command again",
            ) from None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _in_order(self, first: int) -> Iterator[bytes]:
        opened: list[BinaryIO] = []
        try:
            opened += [open_file(path) for path in self._files]
            for position in range(first, len(self._file)):
                if self._file[position] != ABSENT:
                    file = opened[self._file[position]]
                    file.seek(self._offset[position])
                    yield file.readline()
        finally:
            for file in opened:
                file.close()
