"""Numbers as they are meant: float32 that is not rounded on the way, and what is wrong with a model that has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coabench.errors import JobError

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def exact_convolutions(inputs: Tensor) -> Iterator[None]:
    """Let convolutions of float32 on a GPU compute in float32.

    By default cuDNN rounds what it multiplies to TF32, ten bits, which torch's matrix products do not; every image
    begins with a convolution.
    """
    import torch

    if inputs.device.type != "cuda" or inputs.dtype != torch.float32:
        yield
        return
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]  # set when torch is imported
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def not_a_number() -> JobError:
    """Return the error that NaN or infinity among a model's log-probabilities ends a job with."""
    return JobError(
        "the model computed NaN or infinity where log-probabilities were expected",
        remedy="use --dtype bfloat16 or float32 (float16 overflows in some checkpoints), or check the adapter",
    )
