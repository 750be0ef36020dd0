"""At which intensity of an expression a run recognises it, and how sharply: threshold and slope with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coabench.metrics.statistics import LEVEL, SEED, Counts, Figures, Interval, percentile_interval, student_interval
from coabench.metrics.statistics.psychometric import Psychometric, fit_psychometric

FEW = 30
"""With fewer persons than this the jackknife's interval, of Student's t, is taken: the bootstrap's is too narrow."""

REPLICATES = 200
"""Of the bootstrap: each one is a fit."""

_LARGEST = 700.0
"""The largest logarithm of a float."""


@dataclass(frozen=True)
class Threshold:
    """What is known about the threshold.

    Attributes:
        curve: the fitted function; its threshold and slope are None where it is not reached.
        units: how many persons (or, where samples are independent, samples) there are.
        threshold, slope: their intervals; None where they cannot be known, such as where the threshold is not reached
            without one of the persons.
    """

    curve: Psychometric
    units: int
    threshold: Interval | None
    slope: Interval | None


def threshold(x: Figures, right: Figures, clusters: Counts | None, labels: int) -> Threshold:
    """Fit the psychometric function to the answers of a run.

    Args:
        x: the strength of each sample, shape (n,), at least two different ones.
        right: 1 where the answer is right, else 0, shape (n,).
        clusters: the person of each sample, shape (n,); None where samples are independent.
        labels: how many answers there are: who guesses is right once in so many times.
    """
    levels, place = np.unique(x, return_inverse=True)
    alike = 2 * place + right.astype(np.int64)  # independent samples of one strength and one outcome: two kinds a level
    unit = alike if clusters is None else np.unique(clusters, return_inverse=True)[1]
    hits, sizes = (np.zeros((int(unit.max()) + 1, len(levels))) for _ in range(2))
    np.add.at(hits, (unit, place), right)
    np.add.at(sizes, (unit, place), 1)
    times = np.ones(len(sizes))
    if clusters is None:
        times = sizes.sum(axis=1)
        hits, sizes = (each / np.maximum(times, 1)[:, None] for each in (hits, sizes))
    units = int(times.sum())

    def fit(weights: Figures, near: Psychometric | None = None) -> Psychometric:
        n = weights @ sizes
        known = n > 0
        return fit_psychometric(levels[known], (weights @ hits)[known], n[known], 1 / labels, near)

    curve = fit(times)
    if curve.threshold is None or units < 2:
        return Threshold(curve, units, None, None)
    few = clusters is not None and units < FEW
    weights = 1 - np.eye(units) if few else np.random.default_rng(SEED).multinomial(units, times / units, REPLICATES)
    fits = [fit(np.asarray(each, np.float64), curve) for each in weights]
    return Threshold(
        curve,
        units,
        _interval(curve.threshold, [each.threshold for each in fits], few),
        _positive_interval(curve.slope, [each.slope for each in fits], few),
    )


def _positive_interval(value: float | None, others: Sequence[float | None], few: bool) -> Interval | None:
    """Return the interval of what is above 0, such as a slope: that of its logarithm."""
    if value is None:
        return None
    found = _interval(math.log(value), [None if other is None else math.log(other) for other in others], few)
    return found and (math.exp(min(found[0], _LARGEST)), math.exp(min(found[1], _LARGEST)))


def _interval(value: float | None, others: Sequence[float | None], few: bool) -> Interval | None:
    """Return the jackknife's interval, or the bootstrap's; None where a fit has no threshold."""
    known = np.array([other for other in others if other is not None])
    if value is None or len(known) < len(others):
        return None
    return student_interval(value, known) if few else percentile_interval(known, LEVEL)
