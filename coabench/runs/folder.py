"""A folder that one job fills: a manifest that says what runs there, one writer at a time, no mixing of two jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from coabench.base.files import Closing, write_json
from coabench.errors import JobError, UserError

SCHEMA = 1
LOCK = ".lock"


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(data: Any) -> str:
    """Return the SHA-256 of data as JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def folder_name(names: Sequence[str], identity: Mapping[str, Any]) -> str:
    """Return a folder name that the same command always finds again, and that another never takes."""
    parts = [*names, digest(identity)[:8]]
    return ".".join("".join(c if c.isalnum() or c in "-_.+" else "-" for c in part) for part in parts)


def read_manifest(path: Path, required: Mapping[str, type], what: str) -> dict[str, Any]:
    """Return the manifest in a file.

    Args:
        required: fields that every manifest of this kind has, and their types.
        what: ``run``, ``training``: the kind, for error messages.

    Raises:
        UserError: there is none, it is damaged, or a newer coabench wrote it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path.parent} holds no {what}", expected=f"a file {path.name}") from None
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
    for key, kind in required.items():
        if not isinstance(data.get(key), kind):
            raise UserError(f"the manifest {path} is damaged", expected=f"the field {key!r}")
    return data


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


class JobFolder(Closing):
    """A folder opened for writing. Use as a context manager; it holds the lock until it is closed.

    Attributes:
        what: the kind of job, for people.
        manifest_name: the file that holds the manifest.
        required: the fields of its manifest, beside ``schema``.
        contents: the files and folders that belong to such a job, the manifest and the lock included.
        directory: the folder.
        manifest: what the manifest says.
    """

    what: ClassVar[str]
    manifest_name: ClassVar[str]
    required: ClassVar[Mapping[str, type]]
    contents: ClassVar[tuple[str, ...]]

    def __init__(self, directory: Path, manifest: dict[str, Any], *, overwrite: bool = False):
        """Create the folder, or go on with the job that is there.

        Args:
            directory: made where it is absent.
            manifest: of the job about to start; ``identity`` decides whether it is the one that is there.
            overwrite: replace the job that is there; nothing of it is deleted here.

        Raises:
            UserError: the folder holds something else, another job, or cannot be written; or another process is
                writing it.
        """
        from filelock import FileLock, Timeout

        self.directory = directory
        strangers = self.strangers(directory)
        if strangers:
            raise UserError(
                f"the output directory {directory} is no {self.what} directory",
                expected=f"a new or empty folder, or the folder of a {self.what}",
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
                f"another process is writing the {self.what} {directory}",
                remedy="wait for it, or choose another --output",
            ) from None
        except OSError as error:
            raise UserError(
                f"the output directory {directory} cannot be written",
                found=error.strerror or str(error),
                remedy="choose another --output, or change its permissions",
            ) from None
        try:
            self.manifest = self._agree(manifest, overwrite)
        except BaseException:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether the job was finished."""
        return bool(self.manifest["status"] == "complete")

    def _agree(self, manifest: dict[str, Any], overwrite: bool) -> dict[str, Any]:
        """Return the manifest to go on with; refuse a job of another identity."""
        fresh = {"schema": SCHEMA, "status": "running", "reason": None, **manifest, "sessions": [], "started": now()}
        fresh = json.loads(json.dumps(fresh))
        if overwrite:
            return dict(fresh)
        if not (self.directory / self.manifest_name).exists():
            parts = [name for name in self.contents if name not in (self.manifest_name, LOCK)]
            orphans = [name for name in parts if (self.directory / name).exists()]
            if orphans:
                raise UserError(
                    f"{self.directory} holds {orphans[0]} without a manifest",
                    remedy=f"restore {self.manifest_name}, pass --overwrite, or choose another --output",
                )
            return dict(fresh)
        found = read_manifest(self.directory / self.manifest_name, self.required, self.what)
        differing = differences(found["identity"], fresh["identity"])
        if differing:
            raise UserError(
                f"{self.directory} holds another {self.what}; going on would mix the two",
                found="\n    ".join(["these fields differ (there -> asked for):", *differing]),
                remedy=f"choose another --output, or pass --overwrite to delete that {self.what}",
            )
        return found

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
    def strangers(cls, directory: Path) -> list[str]:
        """Return what makes a folder unfit: itself a file, or files that no job of this kind writes."""
        if directory.exists() and not directory.is_dir():
            return [f"{directory} is a file"]
        if not directory.is_dir():
            return []
        names = sorted(p.name for p in directory.iterdir())
        if cls.manifest_name in names:
            return []
        return [n for n in names if n not in cls.contents and not n.endswith(".tmp")]

    def close(self) -> None:
        """Let other writers in; a folder in which nothing was begun goes again."""
        begun = (self.directory / self.manifest_name).exists()
        if not begun:
            (self.directory / LOCK).unlink(missing_ok=True)
        self._lock.release()
        if self._made and not begun:
            with suppress(OSError):
                self.directory.rmdir()
