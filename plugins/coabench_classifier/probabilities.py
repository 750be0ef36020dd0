"""From a network's output to log-probabilities."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Output = Literal["logits", "probabilities"]

CLOSE = 1e-3
"""How far from 1 the sum of probabilities may be: float16 and quantised networks are not exact."""


def log_probabilities(output: npt.NDArray[Any], classes: int, kind: Output) -> list[float] | str:
    """Return the natural-log probability of each class, or in words why the output has none.

    Args:
        output: for one image, shape (1, classes), or (classes,).
        kind: ``logits``, which are soft-maxed, or ``probabilities``, which have to be some.
    """
    values = np.asarray(output, dtype=np.float64)
    if values.shape not in ((1, classes), (classes,)):
        return f"an output of the shape {values.shape} for {classes} classes"
    values = values.reshape(-1)
    if not np.isfinite(values).all():
        return "NaN or infinity"
    if kind == "logits":
        shifted = values - values.max()
        return [float(value) for value in shifted - np.log(np.exp(shifted).sum())]
    if values.min() < 0 or abs(values.sum() - 1) > CLOSE:
        return f"numbers from {values.min():.6g} to {values.max():.6g} with the sum {values.sum():.6g}"
    with np.errstate(divide="ignore"):
        return [float(value) for value in np.log(values / values.sum())]
