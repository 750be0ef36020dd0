"""Ranks that the samples can support, from paired tests of every two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import LEVEL, Difference, holm, paired_difference, paired_p_matrix

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
    places = [first.setdefault(run.predictions.tobytes(), len(first)) for run in runs]
    different = [runs[places.index(place)] for place in range(len(first))]
    shares = np.stack([run.shares for run in different])
    upper = np.triu_indices(len(different), 1)
    differ = np.zeros((len(different), len(different)), dtype=bool)
    differ[upper] = holm(paired_p_matrix(shares, runs[0].sizes)[upper]) < ALPHA
    total = shares.sum(axis=1)
    above = (differ | differ.T) & (total[:, None] < total[None, :])  # above[i, j]: run j is above run i
    found = [
        Rank(1 + int(better), len(different) - int(worse))
        for better, worse in zip(above.sum(axis=1), above.sum(axis=0), strict=True)
    ]
    return [found[place] for place in places]


def copies(runs: Sequence[Predicted]) -> list[list[int]]:
    """Return the positions of runs that have the same predictions, those of each two or more together."""
    alike: dict[bytes, list[int]] = {}
    for position, run in enumerate(runs):
        alike.setdefault(run.predictions.tobytes(), []).append(position)
    return [positions for positions in alike.values() if len(positions) > 1]


def difference(run: Predicted, baseline: Predicted) -> Difference:
    """Return UAR of a run minus UAR of a baseline on the same samples; its p-value is not yet corrected."""
    return paired_difference(run.shares, baseline.shares, run.sizes)
