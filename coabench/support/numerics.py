"""What is wrong with a model whose numbers are none."""

from __future__ import annotations

from coabench.errors import JobError


def not_a_number() -> JobError:
    """Return the error that NaN or infinity among a model's log-probabilities ends a job with."""
    return JobError(
        "the model computed NaN or infinity where log-probabilities were expected",
        remedy="use --dtype bfloat16 or float32 (float16 overflows in some checkpoints), or check the adapter",
    )
