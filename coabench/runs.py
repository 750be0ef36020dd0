"""The run directory: a manifest, an append-only log of records, and one writer at a time.

``run.json`` says exactly what ran, ``predictions.jsonl`` holds one record per sample in the order of the data set.
The log is always a prefix of the data set, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from coabench import jobfolder
from coabench.errors import JobError, UserError
from coabench.files import sync_folder
from coabench.jobfolder import LOCK, JobFolder, now

MANIFEST, LOG, METRICS = "run.json", "predictions.jsonl", "metrics.json"
PENDING = "pending"
"""What a backbone remembers of questions whose records are not written yet; gone when the run is complete."""


class Digest(Protocol):
    """A hash that grows, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> object: ...


REQUIRED = {"identity": dict, "labels": dict, "status": str}


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a run; see `coabench.jobfolder.read_manifest`."""
    return jobfolder.read_manifest(directory / MANIFEST, REQUIRED, "run")


def read_records(directory: Path, digest: Digest | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of a run's log, in order. A torn last line (a writer was killed) is not a record.

    Args:
        directory: the run directory.
        digest: is updated with all that was read, so that a log need not be read twice for its hash.

    Raises:
        UserError: a line that is no record, with its number.
    """
    import jsonlines

    path = directory / LOG
    if not path.exists():
        return
    number = 0
    with path.open("rb") as file:
        try:
            reader = jsonlines.Reader(_lines(file, digest), loads=json.loads)
            for number, record in enumerate(reader.iter(type=dict), start=1):
                missing = {"id", "target", "prediction", "status", "reason", "turns"} - set(record)
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


class Run(JobFolder):
    """A run directory opened for writing.

    Attributes:
        done: how many records the log already holds.
    """

    what = "run"
    manifest_name = MANIFEST
    required = REQUIRED
    contents = (MANIFEST, LOG, METRICS, PENDING, LOCK)

    def __init__(self, directory: Path, manifest: dict[str, Any], ids: Sequence[str], *, overwrite: bool = False):
        """Create the run, or go on with the one that is there.

        Args:
            directory: the folder; made where it is absent.
            manifest: ``identity``, ``labels`` and ``notes`` of the run about to start.
            ids: the ids of the samples, in the order in which records will come.
            overwrite: delete the run that is there.

        Raises:
            UserError: what `JobFolder` refuses, or a damaged log.
        """
        self._log: FileIO | None = None
        self._wipe = overwrite  # only when start() has everything it needs is the old run deleted
        super().__init__(directory, manifest, overwrite=overwrite)
        try:
            self.done = self._check_log(ids)
        except BaseException:
            self.close()
            raise

    @property
    def pending(self) -> Path:
        """The folder for `coabench.backbone.Backbone.remember`."""
        return self.directory / PENDING

    def _check_log(self, ids: Sequence[str]) -> int:
        """Return the number of records, after checking that they are the first samples in order."""
        if self._wipe:
            return 0
        count = 0
        for count, record in enumerate(read_records(self.directory), start=1):
            if count > len(ids) or record["id"] != ids[count - 1]:
                raise UserError(
                    f"{self.directory / LOG}: line {count} is not the record that belongs there",
                    expected=ids[count - 1] if count <= len(ids) else f"{len(ids)} records",
                    found=str(record["id"]),
                    remedy="the log was edited: restore it, or start anew with --overwrite",
                )
        if self.complete and count != len(ids):
            raise UserError(
                f"{self.directory / LOG} has lost records of a complete run",
                expected=f"{len(ids)} records",
                found=str(count),
                remedy="restore the log, or start anew with --overwrite",
            )
        return count

    def start(self, session: Mapping[str, Any]) -> None:
        """Note that a process begins (or goes on) writing; cut off a torn last line."""
        if self._wipe:
            for name in (LOG, METRICS, MANIFEST):
                (self.directory / name).unlink(missing_ok=True)
            shutil.rmtree(self.pending, ignore_errors=True)
        self.manifest.update(status="running", reason=None)
        self.manifest["sessions"].append({"started": now(), "from": self.done, **session})
        self.write(MANIFEST, self.manifest)
        path = self.directory / LOG
        self._log = path.open("ab", buffering=0)
        whole = _whole_lines(path)
        if whole < path.stat().st_size:
            self._log.truncate(whole)
        sync_folder(self.directory)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a batch to the log, durably.

        Raises:
            JobError: the disk is full or gone; the records before this batch are safe.
        """
        assert self._log is not None, "start() comes first"
        text = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in records)
        left = text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape
        try:
            while left:
                left = left[self._log.write(left) :]
            os.fsync(self._log.fileno())
        except OSError as error:
            raise JobError(
                f"the log {self.directory / LOG} cannot be written",
                found=error.strerror or str(error),
                remedy=f"{self.done} records are safe: make room and run the same command again",
            ) from None
        self.done += len(records)

    def finish(self, metrics: Mapping[str, Any], **facts: Any) -> None:
        """Write the metrics and mark the run complete."""
        self.write(METRICS, metrics)
        self.manifest.update(status="complete", reason=None, ended=now(), **facts)
        self.write(MANIFEST, self.manifest)
        shutil.rmtree(self.pending, ignore_errors=True)

    def fail(self, reason: str) -> None:
        """Mark the run failed, as far as the disk allows; the log stays valid and can be gone on with.

        Before `start`, nothing has begun that could fail: what is in the folder stays as it is.
        """
        if self._log is None:
            return
        self.manifest.update(status="failed", reason=reason)
        with suppress(JobError):  # the disk may be the very problem that is being reported
            self.write(MANIFEST, self.manifest)

    def close(self) -> None:
        """Close the log, and the folder."""
        if self._log is not None:
            self._log.close()
        super().close()


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
