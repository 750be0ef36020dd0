"""Memory and disk that run out, in the words of many libraries."""

import errno
import os

import pytest

from coabench.base.resources import shortage


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_memory(error: Exception) -> None:
    words = shortage(error)
    assert words is not None
    assert words.exit_code == 1
    assert "no more memory" in str(words)


def test_the_line_that_says_it_is_shown() -> None:
    error = ImportError("IMPORTANT: READ THIS\n\nlibopenblas.so: failed to map segment from shared object\n")
    assert "found: libopenblas.so: failed" in str(shortage(error))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "page.html"),
        OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
        RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0: file write failed"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_disk(error: Exception) -> None:
    assert "cannot be written" in str(shortage(error))


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("memory"), OSError(errno.ENOENT, "gone"), SystemExit(1)])
def test_anything_else_is_something_else(error: BaseException) -> None:
    assert shortage(error) is None
