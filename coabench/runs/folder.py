"""A folder that one job fills: its manifest, one writer at a time, no mixing of two jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from coabench.base.files import Closing, write_json
from coabench.base.schema import At, others, read_fields
from coabench.base.vocabulary import COMPLETE, RUNNING
from coabench.errors import JobError, UserError
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
    """The fields of every manifest that are read again; what else it holds is in docs/formats.md.

    Attributes:
        kind: the kind of job, for people.
        file: the name of the file.
    """

    kind: ClassVar[str]
    file: ClassVar[str]

    schema: int
    status: Literal["running", "complete", "failed"]
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
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} holds no {manifest.kind}", expected=f"a file {path.name}") from None
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
    read_fields(manifest, data, At(f"the manifest {path}", "restore it, or run again with --overwrite"), others=True)
    return data


class JobFolder(Closing):
    """A folder opened for writing. Use as a context manager; it holds the lock until it is closed.

    Attributes:
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
        from filelock import FileLock, Timeout

        self.directory = directory
        foreign = self.foreign_files(directory)
        if foreign:
            raise UserError(
                f"the output directory {directory} is no {self.declared.kind} directory",
                expected=f"a new or empty folder, or the folder of a {self.declared.kind}",
                found=", ".join(foreign[:5]),
                remedy="choose another --output",
            )
        self._made = not directory.exists()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / LOCK)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another process is writing the {self.declared.kind} {directory}",
                remedy="wait for it, or choose another --output",
            ) from None
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
        if not (self.directory / self.declared.file).exists():
            parts = [name for name in self.contents if name not in (self.declared.file, LOCK)]
            orphans = [name for name in parts if (self.directory / name).exists()]
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
        """Replace a JSON file in the folder, atomically; `JobError` where the disk is full or gone."""
        try:
            write_json(self.directory / name, data)
        except OSError as error:
            raise JobError(
                f"{self.directory / name} cannot be written",
                found=error.strerror or str(error),
                remedy="make room or change the permissions, then run the same command again",
            ) from None

    @classmethod
    def foreign_files(cls, directory: Path) -> list[str]:
        """Return what makes a folder unfit: itself a file, or files that no job of this kind writes."""
        if directory.exists() and not directory.is_dir():
            return [f"{directory} is a file"]
        if not directory.is_dir():
            return []
        names = sorted(p.name for p in directory.iterdir())
        if cls.declared.file in names:
            return []
        return [n for n in names if n not in cls.contents and not n.endswith(".tmp")]

    def close(self) -> None:
        """Let other writers in; remove a folder in which nothing was begun."""
        begun = (self.directory / self.declared.file).exists()
        if not begun:
            (self.directory / LOCK).unlink(missing_ok=True)
        self._lock.release()
        if self._made and not begun:
            with suppress(OSError):
                self.directory.rmdir()
