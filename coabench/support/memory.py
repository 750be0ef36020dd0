"""A device whose memory runs out: an error that says what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.base.resources import out_of_memory
from coabench.errors import OutOfMemory, first_line


@contextmanager
def explained_oom(problem: str, remedy: str) -> Iterator[None]:
    """Turn running out of the device's memory into an `OutOfMemory` that says what to lower."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError) and not out_of_memory(error):
            raise  # on a CPU, memory that runs out is a plain RuntimeError
        raise OutOfMemory(problem, found=first_line(error), remedy=remedy) from error
