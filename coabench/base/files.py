"""Files: written so that a crash leaves the old or the new content, never half of one; hashed in pieces."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coabench.base.names import to_file
from coabench.base.reading import open_file, require_replaceable


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Replace *path* by *data* as JSON, atomically and durably (write beside it, fsync, rename)."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace *path* by *text*, atomically and durably.

    Costs two fsyncs; a plain write would be faster, but could leave an empty file after a power cut.
    """
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(to_file(text))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new name beside *path*; what is written there then replaces *path*, or the file that it is a link to.

    Raises:
        OSError: a device, a pipe or a folder stands there, which is never replaced: ``/dev/stdout``, say.
    """
    require_replaceable(path)
    target = Path(os.path.realpath(path))
    beside = temporary(target)
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def temporary(path: Path) -> Path:
    """Return a new name in the folder of *path*, for what is then renamed to it; as short where that is the longest."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def sync_folder(folder: Path) -> None:
    """Make renames and new files in *folder* durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Closing(ABC):
    """A context manager that closes itself."""

    @abstractmethod
    def close(self) -> object: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
