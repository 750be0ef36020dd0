"""Ranks that the samples can support, from paired tests of every two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import LEVEL, Difference, paired_difference, told_apart

ALPHA = 1 - LEVEL
"""The chance of a false "better" anywhere in a group that Holm's correction keeps."""


class Rank(NamedTuple):
    """The best and the worst place that the tests allow. *leading*: no run is better."""

    best: int
    worst: int

    @property
    def leading(self) -> bool:
        return self.best == 1


def ranks(runs: Sequence[Predicted]) -> list[Rank]:
    """Rank runs on the same samples by UAR.

    A run is above another only if `coabench.metrics.statistics.paired_difference`, Holm-corrected over all pairs, says
    so. The best rank is 1 + how many are above, the worst is the number of runs − how many are below; equal runs share
    their range. Runs with the same predictions count once: copies of a run are no further evidence for or against any.
    """
    if not runs:
        return []
    first: dict[bytes, int] = {}
    numbers = [first.setdefault(run.predictions.tobytes(), len(first)) for run in runs]
    different = dict(zip(reversed(numbers), reversed(runs), strict=True))
    shares = np.stack([different[number].shares for number in range(len(first))])
    found = places(shares.sum(axis=1).tolist(), told_apart(shares, runs[0].sizes, ALPHA))
    return [found[number] for number in numbers]


def places(figures: Sequence[float], differ: npt.NDArray[np.bool_]) -> list[Rank]:
    """Return the rank of each figure.

    Args:
        figures: shape (n,).
        differ: which of them are told apart, shape (n, n).
    """
    total = np.asarray(figures)
    above = differ & (total[:, None] < total[None, :])  # above[i, j]: j is above i
    return [
        Rank(1 + int(better), len(total) - int(worse))
        for better, worse in zip(above.sum(axis=1), above.sum(axis=0), strict=True)
    ]


def copies(runs: Sequence[Predicted]) -> list[list[int]]:
    """Return the positions of runs that have the same predictions, those of each two or more together."""
    alike: dict[bytes, list[int]] = {}
    for position, run in enumerate(runs):
        alike.setdefault(run.predictions.tobytes(), []).append(position)
    return [positions for positions in alike.values() if len(positions) > 1]


def difference(run: Predicted, baseline: Predicted) -> Difference:
    """Return UAR of a run minus UAR of a baseline on the same samples; its p-value is not yet corrected."""
    return paired_difference(run.shares, baseline.shares, run.sizes)
