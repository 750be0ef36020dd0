"""One writer at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coabench.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock


def locked(file: Path, what: str) -> BaseFileLock:
    """Return the lock that a file stands for, held until it is released. The file stays.

    Args:
        what: is written under the lock, for the error message: ``the run results/a``.

    Raises:
        UserError: another process holds it.
        OSError: the file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another process is writing {what}", remedy="wait for it, or choose another --output"
        ) from None
    return lock


def locked_beside(path: Path) -> BaseFileLock:
    """Return the lock of a file that is written, which is a hidden file beside it; see `locked`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return locked(path.with_name(f".{path.name}.lock"), str(path))
