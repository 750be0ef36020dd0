"""Intervals of a mean over samples, from the value of each."""

from __future__ import annotations

import math

import numpy as np

from coabench.metrics.statistics.intervals import (
    LEVEL,
    Interval,
    jackknife_variance,
    normal_quantile,
    student_quantile,
    wilson_interval,
)
from coabench.metrics.statistics.resampling import Counts, Figures


def share_mean_interval(values: Figures, clusters: Counts | None = None, level: float = LEVEL) -> Interval:
    """Return the interval of a mean of values within 0…1, such as the share of annotators who agree.

    Wilson's, at the number of samples m = x̄(1 − x̄)/v at which hits of this mean have the variance v of x̄ (at least 1),
    with Student's t for z. Of hits, which are 0 or 1, this is Wilson's own interval, with z. Where all values are the
    same, each sample (or person) counts as one.

    Source: the effective number of J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary
    data", Biometrics 48, 1992, pp. 577–585, for values between 0 and 1; its coverage is measured in
    docs/explanation/coverage.md.

    Args:
        values: shape (n,), n at least 1.
        clusters: the subject of each sample, shape (n,), from 0 on; None where samples are independent.
    """
    mean, n = float(values.mean()), len(values) if clusters is None else int(clusters.max()) + 1
    hits = clusters is None and bool(np.isin(values, (0, 1)).all())
    variance = mean * (1 - mean) / n if hits else jackknife_variance(means_without(values, clusters))
    z = normal_quantile(level) if hits or n < 2 else student_quantile(n - 1, level)
    effective = max(1.0, mean * (1 - mean) / variance) if variance > 1e-20 else float(n)
    return wilson_interval(min(1.0, mean) * effective, effective, quantile=z)


def student_interval(value: float, without: Figures, level: float = LEVEL) -> Interval | None:
    """Return value ± t·√v, v the jackknife's variance; None where it cannot be known: one unit, or v = 0.

    Args:
        without: the figure with each of m units left out in turn, shape (m,).
    """
    variance = jackknife_variance(without) if len(without) > 1 else 0.0
    if not variance > 1e-20:
        return None
    half = student_quantile(len(without) - 1, level) * math.sqrt(variance)
    return value - half, value + half


def means_without(values: Figures, clusters: Counts | None = None) -> Figures:
    """Return the mean without each sample (or subject), shape (units,); without the only one, the mean itself."""
    return ratios_without(values, np.ones(len(values)), clusters)


def ratios_without(parts: Figures, wholes: Figures, clusters: Counts | None = None) -> Figures:
    """Return Σ parts / Σ wholes without each sample (or subject), shape (units,); the whole ratio where none is left.

    Args:
        parts, wholes: shape (n,).
    """
    if clusters is not None:
        parts, wholes = (np.bincount(clusters, weights=each).astype(np.float64) for each in (parts, wholes))
    rest = wholes.sum() - wholes
    result: Figures = np.full(len(rest), parts.sum() / wholes.sum())
    np.divide(parts.sum() - parts, rest, out=result, where=rest > 0)
    return result
