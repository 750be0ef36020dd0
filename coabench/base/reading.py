"""Opening what a user, a folder or a manifest names: a regular file, of a size that fits, and never waiting for one.

Whatever else a name stands for is an `OSError` whose ``strerror`` says what it is: a pipe, a device, a folder, a name
that no file can have.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

TEXT = 4 * 2**20
"""Bytes of a file that people write: a card, a prompt file, a sheet, a list of labels."""
JSON = 256 * 2**20
"""Bytes of a file of JSON: a manifest, metrics, a config, a tokenizer."""
DATA = 2**30
"""Bytes of what is read whole otherwise: an image, a table, a file of predictions."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NoPlainFile(OSError):
    """What a name stands for is no file that can be read: ``strerror`` says why."""

    def __init__(self, path: object, problem: str, number: int = errno.EINVAL) -> None:
        super().__init__(number, problem, str(path))

    def __str__(self) -> str:
        return str(self.strerror)


def open_file(path: Path, limit: int | None = None) -> BufferedReader:
    """Open a regular file for reading bytes.

    Args:
        path: the file; links are followed.
        limit: how many bytes it may have.

    Raises:
        OSError: it is not there, cannot be opened, is no regular file, or has more bytes.
    """
    try:
        _check(path, path.stat(), limit)  # before it is opened: a device may do something then
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:
        raise NoPlainFile(path, "a name with a null byte") from None
    try:
        _check(path, os.fstat(descriptor), limit)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check(path: Path, status: os.stat_result, limit: int | None) -> None:
    kind = next((f"{name}, not a file" for is_kind, name in _KINDS if is_kind(status.st_mode)), "")
    if not stat.S_ISREG(status.st_mode):
        raise NoPlainFile(path, kind or "no regular file")
    if limit is not None and status.st_size > limit:
        raise _too_large(path, limit, f"{status.st_size:,} bytes")


def require_replaceable(path: Path) -> None:
    """Check that a regular file stands there, or nothing; links are followed.

    Raises:
        OSError: something else does.
    """
    try:
        _check(path, path.stat(), None)
    except FileNotFoundError:
        return
    except ValueError:
        raise NoPlainFile(path, "a name with a null byte") from None


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of *limit* bytes at most; `OSError` for anything else."""
    with open_file(path, limit) as file:
        data = file.read(limit + 1)
    if len(data) > limit:  # it grew, or says that it has none, as files in /proc do
        raise _too_large(path, limit, "more")
    return data


def read_text(path: Path, limit: int = TEXT) -> str:
    """Return the text of a regular file in UTF-8, without a byte order mark, line breaks as ``\\n``.

    Raises:
        OSError: it cannot be read, or has more than *limit* bytes.
        ValueError: it is not UTF-8; the message says where.
    """
    return as_text(read_bytes(path, limit))


def as_text(data: bytes) -> str:
    """Return the text that a file's bytes are, line breaks as ``\\n``; `ValueError` where they are not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"no UTF-8 text: byte 0x{data[error.start]:02x} in line {line}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def why(error: Exception) -> str:
    """Return in words why a file could not be read."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def is_file(path: Path) -> bool:
    """Whether there is a regular file; False for a name that no file can have, in every Python."""
    return os.path.isfile(path)  # noqa: PTH113  # which raises for no name


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False for a name that none can have, in every Python."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: Path) -> bool:
    """Whether there is anything, if only a link that leads nowhere; False for a name that nothing can have."""
    return os.path.lexists(path)


def what_is_at(path: Path) -> str:
    """Return in words what a name stands for, for the *found* of an error."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link that leads nowhere" if exists(path) else "nothing there"
    except ValueError:
        return "a name with a null byte"
    except OSError as error:
        return why(error)
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "a file")


def user_path(text: str | Path) -> Path:
    """Return the path that a user means; ``~`` is the home folder, ``~nobody`` of no user stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  # which raises for no name


def _too_large(path: Path, limit: int, size: str) -> NoPlainFile:
    return NoPlainFile(path, f"a file of {size}; at most {limit:,} are read", errno.EFBIG)
