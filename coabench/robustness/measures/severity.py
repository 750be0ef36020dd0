"""How the gain over chance is lost with severity: the curve, where half of it is gone, how much of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coabench.metrics.headline import UAR, Estimate
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import LEVEL, Figures, bootstrap, percentile_interval

REPLICATES = 2000
"""Of the bootstrap of a family; its ends move by less than a tenth of a level between seeds."""


@dataclass(frozen=True)
class Half:
    """The severity at which half of the gain over chance is lost; the clean run is 0, values between are interpolated.

    Attributes:
        level: None where more than half is left at every severity.
        low, high: a 95 % interval; None where more than half is left there.
    """

    level: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """A family of conditions that differ in severity.

    Attributes:
        levels: severities, rising; the first is 0, the clean run.
        uars: at each level.
        chance: the UAR of answers that ignore the image, 1/k for k labels that have samples.
        half: None where the clean run is not better than chance.
        kept: the share of the gain over chance that is left, mean over the severities; empty where there is no gain.
    """

    family: str
    levels: tuple[int, ...]
    uars: tuple[Estimate, ...]
    chance: float
    half: Half | None
    kept: Estimate


def curve(family: str, clean: Predicted, levels: Sequence[int], conditions: Sequence[Predicted]) -> Curve:
    """Return the curve of a family.

    The gain over chance that is kept at severity s is g(s) = (UAR(s) − 1/k) / (UAR(0) − 1/k); *kept* is its mean over
    the severities. Intervals: the bootstrap of samples, class by class, or of persons where persons are on several
    images, all severities of a sample together.

    Source: D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common corruptions and
    perturbations", ICLR 2019 (arXiv 1903.12261), section 4, whose errors are those of accuracy relative to a baseline
    model; here it is the UAR relative to chance.

    Args:
        levels: of the conditions, rising, each at least 1.
        conditions: of the same samples as *clean*, in the same order.
    """
    every = (clean, *conditions)
    chance = 1 / int(np.count_nonzero(clean.sizes))
    uars = np.array([float(each.shares.sum()) for each in every])
    half, kept = None, Estimate()
    places = np.array([0, *levels], dtype=np.float64)
    if uars[0] > chance:
        drawn = _drawn(every)
        drawn = drawn[drawn[:, 0] > chance]
        gains = (drawn - chance) / (drawn[:, :1] - chance)
        own = (uars - chance) / (uars[0] - chance)
        crossed = _crossings(gains, places)
        low, high = np.quantile(crossed, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
        half = Half(
            *(float(each) if np.isfinite(each) else None for each in (_crossings(own[None], places)[0], low, high))
        )
        kept = Estimate(float(own[1:].mean()), *percentile_interval(gains[:, 1:].mean(axis=1)))
    return Curve(family, (0, *levels), tuple(UAR.measure(each)[0] for each in every), chance, half, kept)


def _drawn(runs: Sequence[Predicted]) -> Figures:
    """Return bootstrap replicates of the UAR of each run, drawn together, shape (replicates, runs)."""
    clean = runs[0]
    right = np.stack([run.predictions == run.targets for run in runs])
    patterns, place = np.unique(right, axis=1, return_inverse=True)
    k, m = clean.k, patterns.shape[1]
    units = np.zeros(len(clean), dtype=np.int64) if clean.clusters is None else clean.clusters
    table = np.bincount((units * k + clean.targets) * m + place.ravel(), minlength=(int(units.max()) + 1) * k * m)
    table = table.reshape(-1, k, m)
    counts = bootstrap(table[0] if clean.clusters is None else table, replicates=REPLICATES)
    n = counts.sum(axis=2)
    hits = counts @ patterns.T.astype(np.int64)
    recalls = hits / np.maximum(n, 1)[:, :, None]
    means: Figures = recalls.sum(axis=1) / (n > 0).sum(axis=1)[:, None]
    return means


def _crossings(gains: Figures, places: Figures) -> Figures:
    """Return the first place where a gain falls to one half, shape (r,); infinite where none does.

    Args:
        gains: shape (r, levels), 1 at the first level.
        places: the severity of each level, shape (levels,).
    """
    below = gains <= 0.5
    first = np.where(below.any(axis=1), below.argmax(axis=1), 1)
    rows = np.arange(len(gains))
    before, after = gains[rows, first - 1], gains[rows, first]
    part = np.divide(before - 0.5, before - after, out=np.zeros(len(gains)), where=before > after)
    at = places[first - 1] + part * (places[first] - places[first - 1])
    crossed: Figures = np.where(below.any(axis=1), at, np.inf)
    return crossed
