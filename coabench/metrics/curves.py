"""Accuracy against a number that is known of each sample: an angle, an intensity, an age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coabench.metrics.statistics import Counts, Figures, Interval, share_mean_interval

MOST_LEVELS = 15
"""With more different values than this a number is divided into bins."""

BINS = 8
"""How many there are at most, of as many samples each as ties allow."""

LEAST_LEVELS = 3
"""Fewer different values make no curve."""


@dataclass(frozen=True)
class Point:
    """The samples with one value of a number, or within one bin.

    Attributes:
        low, high: the bin's least and largest value; the value.
        x: the mean value.
        accuracy: the share of right answers.
        interval: of it, with persons as clusters.
    """

    low: float
    high: float
    x: float
    n: int
    accuracy: float
    interval: Interval


def curve(x: Figures, right: Figures, clusters: Counts | None) -> tuple[Point, ...]:
    """Return the accuracy at each value, or in bins where there are many; nothing for fewer than `LEAST_LEVELS` values.

    Args:
        x: the number known of each sample, shape (n,); samples with NaN are left out.
        right: 1 where the answer is right, else 0, shape (n,).
        clusters: the person of each sample, shape (n,); None where samples are independent.
    """
    known = np.flatnonzero(~np.isnan(x))
    values = np.unique(x[known])
    if len(values) < LEAST_LEVELS:
        return ()
    if len(values) > MOST_LEVELS:
        edges = np.unique(np.quantile(x[known], np.arange(1, BINS) / BINS))
        place = np.searchsorted(edges, x[known], side="right")
    else:
        place = np.searchsorted(values, x[known])
    return tuple(_point(known[place == at], x, right, clusters) for at in np.unique(place))


def _point(members: Counts, x: Figures, right: Figures, clusters: Counts | None) -> Point:
    own = None if clusters is None else np.unique(clusters[members], return_inverse=True)[1]
    if own is not None and int(own.max()) + 1 == len(own):
        own = None  # each person once: independent
    inside, hits = x[members], right[members]
    low, high = float(inside.min()), float(inside.max())
    mean = low if low == high else float(inside.mean())  # which rounding would shift
    return Point(low, high, mean, len(hits), float(hits.mean()), share_mean_interval(hits, own))
