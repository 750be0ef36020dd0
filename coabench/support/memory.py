"""A device whose memory runs out: an error that says what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.base.resources import out_of_memory
from coabench.errors import OutOfMemory, first_line

DEVICE_WORDS = ("CUDA error: out of memory", "ALLOC_FAILED")
"""What CUDA, cuBLAS and cuDNN report of themselves where torch's allocator is not asked."""


@contextmanager
def explained_oom(problem: str, remedy: str) -> Iterator[None]:
    """Turn running out of the device's memory into an `OutOfMemory` that says what to lower."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        of_device = isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in DEVICE_WORDS)
        if not of_device and not out_of_memory(error):
            raise  # on a CPU, memory that runs out is a plain RuntimeError
        raise OutOfMemory(problem, found=first_line(error), remedy=remedy) from error
