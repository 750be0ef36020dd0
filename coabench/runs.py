"""The run directory: a manifest, an append-only log of records, and one writer at a time.

``run.json`` says exactly what ran, ``predictions.jsonl`` holds one record per sample in the order of the data set.
The log is always a prefix of the data set, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coabench.errors import JobError, UserError
from coabench.files import sync_folder, write_json

SCHEMA = 1
MANIFEST, LOG, METRICS, LOCK = "run.json", "predictions.jsonl", "metrics.json", ".lock"
_OURS = (MANIFEST, LOG, METRICS, LOCK)


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a run.

    Raises:
        UserError: there is none, it is damaged, or a newer coabench wrote it.
    """
    path = directory / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{directory} holds no run", expected=f"a file {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"the manifest {path} is damaged", found=str(error), remedy="restore it, or run again with --overwrite"
        ) from None
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise UserError(f"{path} is no manifest", expected="a JSON object with 'schema'")
    if data["schema"] > SCHEMA:
        raise UserError(
            f"{path} was written by a newer coabench",
            expected=f"schema {SCHEMA} or older",
            found=f"schema {data['schema']}",
            remedy="upgrade coabench",
        )
    for key, kind in (("identity", dict), ("labels", dict), ("status", str)):
        if not isinstance(data.get(key), kind):
            raise UserError(f"the manifest {path} is damaged", expected=f"the field {key!r}")
    return data


def read_records(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a run's log, in order. A torn last line (a writer was killed) is not a record.

    Raises:
        UserError: a line that is no record, with its number.
    """
    import jsonlines

    path = directory / LOG
    if not path.exists():
        return
    number = 0
    with path.open("rb") as file:
        whole = (line for line in file if line.endswith(b"\n"))
        try:
            for number, record in enumerate(jsonlines.Reader(whole, loads=json.loads).iter(type=dict), start=1):
                missing = {"id", "target", "prediction", "status", "reason", "turns"} - set(record)
                if missing:
                    raise _damaged(path, number, f"no field {min(missing)!r}")
                yield record
        except (jsonlines.InvalidLineError, UnicodeDecodeError) as error:
            raise _damaged(path, number + 1, str(error)) from None


def _damaged(path: Path, number: int, found: str) -> UserError:
    return UserError(
        f"{path}: line {number} is no record",
        found=found,
        remedy="the log was edited or damaged: restore it, or start anew with --overwrite",
    )


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return ``field: old -> new`` for every leaf in which two identities differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key in sorted({*old, *new})
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line for i, (a, b) in enumerate(zip(old, new, strict=True)) for line in differences(a, b, f"{path}[{i}]")
        ]
    return [] if old == new else [f"{path}: {json.dumps(old)} -> {json.dumps(new)}"]


class Run:
    """A run directory opened for writing. Use as a context manager; it holds the lock until it is closed.

    Attributes:
        directory: the folder.
        manifest: what ``run.json`` says.
        done: how many records the log already holds.
    """

    def __init__(self, directory: Path, manifest: dict[str, Any], ids: Sequence[str], *, overwrite: bool = False):
        """Create the run, or go on with the one that is there.

        Args:
            directory: the folder; made where it is absent.
            manifest: ``identity``, ``labels`` and ``session`` of the run about to start.
            ids: the ids of the samples, in the order in which records will come.
            overwrite: delete the run that is there.

        Raises:
            UserError: the folder holds something else, another run, a damaged log, or cannot be written; or
                another process is writing it.
        """
        from filelock import FileLock, Timeout

        self.directory = directory
        self._log: FileIO | None = None
        self._wipe = overwrite  # only when start() has everything it needs is the old run deleted
        strangers = _strangers(directory)
        if strangers:
            raise UserError(
                f"the output directory {directory} is no run directory",
                expected="a new or empty folder, or the folder of a run",
                found=", ".join(strangers[:5]),
                remedy="choose another --output",
            )
        self._made = not directory.exists()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / LOCK)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another process is writing the run {directory}", remedy="wait for it, or choose another --output"
            ) from None
        except OSError as error:
            raise UserError(
                f"the output directory {directory} cannot be written",
                found=error.strerror or str(error),
                remedy="choose another --output, or change its permissions",
            ) from None
        try:
            self.manifest = self._agree(manifest, overwrite)
            self.done = self._check_log(ids)
        except BaseException:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether every sample has its record and the run was finished."""
        return bool(self.manifest["status"] == "complete")

    def _agree(self, manifest: dict[str, Any], overwrite: bool) -> dict[str, Any]:
        """Return the manifest to go on with; refuse a run of another identity."""
        fresh = {"schema": SCHEMA, "status": "running", "reason": None, **manifest, "sessions": [], "started": now()}
        fresh = json.loads(json.dumps(fresh))
        if overwrite:
            return dict(fresh)
        if not (self.directory / MANIFEST).exists():
            if (self.directory / LOG).exists():
                raise UserError(
                    f"{self.directory} holds a log without a manifest",
                    remedy="restore run.json, pass --overwrite, or choose another --output",
                )
            return dict(fresh)
        found = read_manifest(self.directory)
        differing = differences(found["identity"], fresh["identity"])
        if differing:
            raise UserError(
                f"{self.directory} holds another run; going on would mix two runs' answers",
                found="\n    ".join(["these fields differ (there -> asked for):", *differing]),
                remedy="choose another --output, or pass --overwrite to delete that run",
            )
        return found

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
        self.manifest.update(status="running", reason=None)
        self.manifest["sessions"].append({"started": now(), "from": self.done, **session})
        self._write(MANIFEST, self.manifest)
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
        self._write(METRICS, metrics)
        self.manifest.update(status="complete", reason=None, ended=now(), **facts)
        self._write(MANIFEST, self.manifest)

    def fail(self, reason: str) -> None:
        """Mark the run failed, as far as the disk allows; the log stays valid and can be gone on with.

        Before `start`, nothing has begun that could fail: what is in the folder stays as it is.
        """
        if self._log is None:
            return
        self.manifest.update(status="failed", reason=reason)
        with suppress(JobError):  # the disk may be the very problem that is being reported
            self._write(MANIFEST, self.manifest)

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        try:
            write_json(self.directory / name, data)
        except OSError as error:
            raise JobError(
                f"{self.directory / name} cannot be written",
                found=error.strerror or str(error),
                remedy="make room or change the permissions, then run the same command again",
            ) from None

    def close(self) -> None:
        """Close the log and let other writers in; a folder in which nothing was begun goes again."""
        if self._log is not None:
            self._log.close()
        begun = (self.directory / MANIFEST).exists()
        if not begun:
            (self.directory / LOCK).unlink(missing_ok=True)
        self._lock.release()
        if self._made and not begun:
            with suppress(OSError):
                self.directory.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _strangers(directory: Path) -> list[str]:
    """Return what makes *directory* unfit for a run: itself a file, or files that no run writes."""
    if directory.exists() and not directory.is_dir():
        return [f"{directory} is a file"]
    if not directory.is_dir():
        return []
    names = sorted(p.name for p in directory.iterdir())
    return [] if MANIFEST in names else [n for n in names if n not in _OURS and not n.endswith(".tmp")]


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
