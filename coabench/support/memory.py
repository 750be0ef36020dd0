"""Memory that runs out, told in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.errors import OutOfMemory


@contextmanager
def memory_told(problem: str, remedy: str) -> Iterator[None]:
    """Turn running out of the device's memory into an `OutOfMemory` that says what to lower."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise  # on a CPU, memory that runs out is a plain RuntimeError
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OutOfMemory(problem, found=found, remedy=remedy) from error
