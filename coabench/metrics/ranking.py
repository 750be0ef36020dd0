"""Ranks that the samples can support, from paired tests of every two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coabench.metrics.figures import paired_table, uar_difference
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import LEVEL, bootstrap, holm, percentile_interval, sign_flip, sign_flip_matrix

ALPHA = 1 - LEVEL
"""The chance of a false "better" anywhere in a group that Holm's correction keeps."""


class Rank(NamedTuple):
    """The best and the worst place that the tests allow. *leading*: no run is better."""

    best: int
    worst: int

    @property
    def leading(self) -> bool:
        return self.best == 1


class Difference(NamedTuple):
    """UAR of a run minus UAR of the baseline, with its interval and its p-value (not yet corrected)."""

    value: float
    low: float
    high: float
    p: float


def ranks(runs: Sequence[Predicted]) -> list[Rank]:
    """Rank runs on the same samples by UAR.

    A run is above another only if `coabench.metrics.statistics.sign_flip`, Holm-corrected over all pairs, says so.
    The best rank is 1 + how many are above, the worst is the number of runs − how many are below; equal runs share
    their range.
    """
    if not runs:
        return []
    shares = np.stack([run.shares for run in runs])
    upper = np.triu_indices(len(runs), 1)
    differ = np.zeros((len(runs), len(runs)), dtype=bool)
    differ[upper] = holm(sign_flip_matrix(shares)[upper]) < ALPHA
    total = shares.sum(axis=1)
    above = (differ | differ.T) & (total[:, None] < total[None, :])  # above[i, j]: run j is above run i
    return [
        Rank(1 + int(better), len(runs) - int(worse))
        for better, worse in zip(above.sum(axis=1), above.sum(axis=0), strict=True)
    ]


def difference(run: Predicted, baseline: Predicted) -> Difference:
    """Compare a run with a baseline on the same samples: paired bootstrap and sign-flip test."""
    table = paired_table(run.targets, run.predictions, baseline.predictions, run.k, run.clusters)
    low, high = percentile_interval(uar_difference(bootstrap(table)))
    whole = table if table.ndim == 2 else table.sum(axis=0)
    return Difference(float(uar_difference(whole)), low, high, sign_flip(run.shares, baseline.shares))
