"""The memory of a device: how much training needs of it, and what to do where it runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.errors import OutOfMemory, first_line


@contextmanager
def explained_oom(problem: str, remedy: str) -> Iterator[None]:
    """Turn running out of the device's memory into an `OutOfMemory` that says what to lower."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise  # on a CPU, memory that runs out is a plain RuntimeError
        raise OutOfMemory(problem, found=first_line(error), remedy=remedy) from error


def activation_bytes(values: int, width: int, checkpointing: bool) -> int:
    """Estimate the bytes of activations that a transformer keeps for the backward pass.

    34 bytes per token, layer and unit of hidden size at two bytes a number (Korthikanti et al. 2022, arXiv 2205.05198,
    section 4.1, attention matrix not kept), or the layer's input alone with checkpointing.

    Args:
        values: tokens × layers × hidden size.
        width: bytes a number.
        checkpointing: whether activations are computed again instead of kept.
    """
    return width * (1 if checkpointing else 17) * values
