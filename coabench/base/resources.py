"""A machine that has too little of something, memory or disk, in words: every library says it in its own way."""

from __future__ import annotations

import errno
import os

from coabench.errors import JobError, first_line

DISK = tuple(getattr(errno, name) for name in ("ENOSPC", "EFBIG", "EDQUOT", "EROFS", "ESTALE") if hasattr(errno, name))
"""What systems report of a disk that is full or gone, a quota or a limit (``ulimit -f``) that is reached."""
DISK_WORDS = (*(os.strerror(number) for number in DISK), "PytorchStreamWriter")
MEMORY_WORDS = (
    os.strerror(errno.ENOMEM),  # dlopen, mmap and fork
    "allocate memory",  # torch
    "not enough memory",  # torch on Windows
    "start new thread",  # Python: a thread needs memory for its stack
    "bad_alloc", "bad allocation",  # C++
    "failed to map segment",  # a library that is loaded
    "Insufficient memory", "Failed to allocate",  # OpenCV
)  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the process gets no more memory."""
    return isinstance(error, MemoryError) or _says(error, MEMORY_WORDS)


def shortage(error: BaseException) -> JobError | None:
    """Return an error in words where it says that memory or disk is short; None where it says something else."""
    if out_of_memory(error):
        return JobError(
            "this process gets no more memory",
            found=_line(error, MEMORY_WORDS),
            remedy="end other programs, lower --batch-size, or raise the limit (ulimit -v, the batch system's)",
        )
    number, file = getattr(error, "errno", None), getattr(error, "filename", None)
    if number in DISK or _says(error, DISK_WORDS):
        return JobError(
            f"{file or 'a file'} cannot be written",
            found=getattr(error, "strerror", None) or _line(error, DISK_WORDS),
            remedy="make room, or raise the limit (a quota, ulimit -f), then run the same command again",
        )
    return None


def _line(error: BaseException, words: tuple[str, ...]) -> str:
    """Return the line of a message that says it: NumPy's begins with advice on how to install it."""
    lines = [line.strip() for line in str(error).splitlines() if any(each in line for each in words)]
    return lines[0] if lines else first_line(error)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, Exception) and any(each in str(error) for each in words)
