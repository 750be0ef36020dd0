"""A folder that one job fills: its manifest, one writer at a time, no mixing of two jobs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal

from coabench.base import signals
from coabench.base.files import Closing, write_json
from coabench.base.json import read_json
from coabench.base.jsonlines import GONE
from coabench.base.locking import locked
from coabench.base.reading import exists, is_folder, what_is_at, why
from coabench.base.resources import shortage
from coabench.base.schema import At, others, read_fields
from coabench.base.vocabulary import COMPLETE, FAILED, RUNNING, STOPPED
from coabench.errors import CoabenchError, JobError, UserError, with_type
from coabench.runs.identity import list_differences

SCHEMA = 1
LOCK = ".lock"


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Git:
    """The commit that the bench ran from."""

    commit: str
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software, as far as they are read again."""

    git: Git | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class Session:
    """A process that wrote, as far as it is read again."""

    command: tuple[str, ...] = ()
    device: str | None = None
    environment: Environment | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The fields of every manifest that are read again; what else it holds is in docs/reference/formats.md.

    Attributes:
        kind: the kind of job, for people.
        file: the name of the file.
    """

    kind: ClassVar[str]
    file: ClassVar[str]

    schema: int
    status: Literal["running", "stopped", "complete", "failed"]
    reason: str | None = None
    identity: Any
    notes: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    started: str | None = None
    ended: str | None = None


def read_manifest(folder: Path, manifest: type[Manifest]) -> dict[str, Any]:
    """Return the manifest of a folder.

    Args:
        manifest: declares the fields that must be there.

    Raises:
        UserError: there is none, it is damaged, or a newer coabench wrote it.
    """
    path = folder / manifest.file
    try:
        data = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} holds no {manifest.kind}", expected=f"a file {path.name}") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"the manifest {path} is damaged", found=why(error), remedy="restore it, or run again with --overwrite"
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
    read_fields(manifest, data, At(f"the manifest {path}", "restore it, or run again with --overwrite"), others=True)
    return data


def plugin_failures(manifest: Mapping[str, Any]) -> list[str]:
    """Return what plugins failed in the last session of a job, one sentence each."""
    sessions = manifest.get("sessions") or [{}]
    return list(sessions[-1].get("plugin_failures", ()))


def how_it_ended(error: BaseException) -> tuple[str, str]:
    """Return the status and the reason of a job that an error ended before its time."""
    if isinstance(error, KeyboardInterrupt) or signals.received():  # which may have come as another error
        return STOPPED, signals.cause()
    known = error if isinstance(error, CoabenchError) else shortage(error)
    return FAILED, str(known) if known else with_type(error)


class JobFolder(Closing):
    """A folder opened for writing. Use as a context manager; it holds the lock until it is closed.

    Where an error ends the context, the manifest says so: ``stopped`` by a signal, or ``failed``.

    Attributes:
        begun: whether the job writes here; before, nothing has begun that could fail.
        declared: the manifest of such a job.
        contents: the files and folders that belong to such a job, the manifest and the lock included.
        directory: the folder.
        manifest: of the job, as JSON.
    """

    declared: ClassVar[type[Manifest]]
    contents: ClassVar[tuple[str, ...]]

    def __init__(self, directory: Path, manifest: dict[str, Any], *, overwrite: bool = False):
        """Create the folder, or resume the job in it.

        Args:
            directory: made where it is absent.
            manifest: of the job about to start; ``identity`` decides whether it is the job in the folder.
            overwrite: replace the job in the folder; nothing of it is deleted here.

        Raises:
            UserError: the folder holds something else, another job, or cannot be written; or another process is
                writing it.
        """
        self.directory, self.begun = directory, False
        foreign = self.foreign_files(directory)
        if foreign:
            raise UserError(
                f"the output directory {directory} is no {self.declared.kind} directory",
                expected=f"a new or empty folder, or the folder of a {self.declared.kind}",
                found=", ".join(foreign[:5]),
                remedy="choose another --output",
            )
        self._made = not exists(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._opened = directory.stat()
            self._lock = locked(directory / LOCK, f"the {self.declared.kind} {directory}")
        except OSError as error:
            raise UserError(
                f"the output directory {directory} cannot be written",
                found=error.strerror or str(error),
                remedy="choose another --output, or change its permissions",
            ) from None
        try:
            self.manifest = self._resumed(manifest, overwrite)
        except BaseException:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether the job was finished."""
        return bool(self.manifest["status"] == COMPLETE)

    def _resumed(self, manifest: dict[str, Any], overwrite: bool) -> dict[str, Any]:
        """Return the manifest to continue with; refuse a job of another identity."""
        fresh = {"schema": SCHEMA, "status": RUNNING, "reason": None, **manifest, "sessions": [], "started": now()}
        fresh = json.loads(json.dumps(fresh))
        if overwrite:
            return dict(fresh)
        if not exists(self.directory / self.declared.file):
            parts = [name for name in self.contents if name not in (self.declared.file, LOCK)]
            orphans = [name for name in parts if exists(self.directory / name)]
            if orphans:
                raise UserError(
                    f"{self.directory} holds {orphans[0]} without a manifest",
                    remedy=f"restore {self.declared.file}, pass --overwrite, or choose another --output",
                )
            return dict(fresh)
        existing = read_manifest(self.directory, self.declared)
        differing = list_differences(existing["identity"], fresh["identity"], "there -> asked for")
        if differing:
            raise UserError(
                f"{self.directory} holds another {self.declared.kind}; continuing would mix the two",
                found=differing,
                remedy=f"choose another --output, or pass --overwrite to delete that {self.declared.kind}",
            )
        for name in ("notes", "sessions"):  # which grow
            existing[name] = existing.get(name) or []
        return existing

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Replace a JSON file in the folder, atomically; `JobError` where the disk is full, or the folder gone."""
        try:
            if not self._there():  # what is there now may be another job's
                raise FileNotFoundError(errno.ENOENT, GONE)
            write_json(self.directory / name, data)
        except OSError as error:
            raise JobError(
                f"{self.directory / name} cannot be written",
                found=error.strerror or str(error),
                remedy="make room or change the permissions, then run the same command again",
            ) from None

    def _begin(self, session: Mapping[str, Any]) -> None:
        """Record that a process begins to write, or resumes."""
        self.begun = True
        self.manifest.pop("ended", None)
        self.manifest.update(status=RUNNING, reason=None)
        self.manifest["sessions"].append({"started": now(), **session})
        self.write(self.declared.file, self.manifest)

    def record_failure(self, problem: str) -> None:
        """Record with this session that a plugin failed, which does not end the job; nothing once it is closed."""
        if not self._lock.is_locked or not self.manifest["sessions"]:
            return
        self.manifest["sessions"][-1].setdefault("plugin_failures", []).append(problem)
        with suppress(JobError):  # a full disk ends the job with its own next line, not with this one
            self.write(self.declared.file, self.manifest)

    def end(self, status: str, reason: str | None = None, **facts: Any) -> None:
        """Record how the job ended."""
        ended = {**self.manifest, "status": status, "reason": reason, "ended": now(), **facts}
        self.write(self.declared.file, ended)
        self.manifest.update(ended)  # not before: it has ended when that is written

    @classmethod
    def foreign_files(cls, directory: Path) -> list[str]:
        """Return what makes a folder unfit: itself a file, or files that no job of this kind writes."""
        if exists(directory) and not is_folder(directory):
            return [f"{directory} is {what_is_at(directory)}"]
        if not is_folder(directory):
            return []
        names = sorted(p.name for p in directory.iterdir())
        if cls.declared.file in names:
            return []
        return [n for n in names if n not in cls.contents and not n.endswith(".tmp")]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and self.begun and not self.complete:
                with suppress(JobError):  # the disk may be the very problem that is being reported
                    self._interrupted(error)
        finally:
            self.close()

    def _there(self) -> bool:
        """Whether the folder is still the one that was opened."""
        return self.directory.exists() and os.path.samestat(self._opened, self.directory.stat())

    def _interrupted(self, error: BaseException) -> None:
        """Record what ended the job before its time; what is on disk stays valid, and the job can be resumed."""
        status, reason = how_it_ended(error)
        if status == STOPPED or not isinstance(error, UserError):
            self.end(status, reason)

    def close(self) -> None:
        """Let other writers in; remove a folder in which nothing was begun."""
        begun = exists(self.directory / self.declared.file)
        if not begun and self._there():
            (self.directory / LOCK).unlink(missing_ok=True)
        self._lock.release()
        if self._made and not begun:
            with suppress(OSError):
                self.directory.rmdir()
