"""Recipes: several runs that differ in nothing but a seed, on the same samples.

A run varies for two reasons: the samples are some of many, and the seed is one of many. What is said of a recipe has to
cover both; the spread of its runs alone leaves out the samples that all of them share, and one run alone the seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics.intervals import LEVEL, Interval, student_quantile
from coabench.metrics.statistics.paired import Difference, added_variance
from coabench.metrics.statistics.resampling import Figures


@dataclass(frozen=True)
class Spread:
    """The variance of a mean over seeds: of which parts, and how sure it is.

    Attributes:
        seeds: the part that more seeds would lower.
        samples: the part that more samples would lower.
        freedom: the degrees of freedom of the sum.
    """

    seeds: float
    samples: float
    freedom: float

    @property
    def total(self) -> float:
        return self.seeds + self.samples


def recipe_difference(a: Figures, b: Figures, sizes: npt.ArrayLike, level: float = LEVEL) -> Difference:
    """Compare two recipes, each of two runs or more.

    With x̄_i and ȳ_i the mean shares of sample i over the runs of either recipe, d_i = x̄_i − ȳ_i, s² the variance of
    the figure over the n runs of a recipe, and v_i that of a sample's share over them:

    - the seeds' part of the variance is s_a²/n_a + s_b²/n_b, which holds the noise that each run has of its own;
    - the samples' part is Σ d_i² less what that noise adds to it, Σ (v_ai/n_a + v_bi/n_b), at least 0, and what
      `paired_difference` adds;
    - D ± t·√(their sum), with t of Student's distribution, the degrees of freedom being Satterthwaite's.

    Source: F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin
    2, 1946, pp. 110–114. The decomposition is that of a two-way random-effects model (seeds by samples); it was derived
    for this code, and its error rates are measured in docs/explanation/comparing-runs.md.

    Args:
        a, b: the shares of the runs of two recipes, shapes (n_a, units) and (n_b, units), n_a and n_b at least 2.
        sizes: samples per class, shape (k,).
    """
    d = a.mean(axis=0) - b.mean(axis=0)
    noise = float((a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b)).sum())
    samples = max(0.0, float((d**2).sum()) - noise) + added_variance(sizes)
    spread = _spread([_variance_of_figure(runs) for runs in (a, b)], [len(a), len(b)], samples, a.shape[1])
    value = math.fsum(d)
    error = math.sqrt(spread.total)
    half = student_quantile(spread.freedom, level) * error
    p = _two_sided(abs(value) / error, spread.freedom)
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), p, int(np.count_nonzero(d)))


def recipe_spread(shares: Figures, targets: npt.NDArray[np.int64], k: int) -> Spread:
    """Return the variance of the mean figure of a recipe of two runs or more.

    The seeds' part is s²/n. The samples' part is that of a mean of class means, with the shares averaged over the runs,
    less what the noise of the single runs adds to it.

    Args:
        shares: shape (n, samples).
        targets: true classes, shape (samples,), within 0…k−1.
    """
    mean, noise = shares.mean(axis=0), shares.var(axis=0, ddof=1) / len(shares)
    samples = 0.0
    for c in range(k):
        of_class = targets == c
        size = int(of_class.sum())
        if size > 1:
            samples += size * max(0.0, float(mean[of_class].var(ddof=1)) - float(noise[of_class].mean()))
    return _spread([_variance_of_figure(shares)], [len(shares)], samples, shares.shape[1])


def mean_interval(value: float, spread: Spread, level: float = LEVEL) -> Interval:
    """Return value ± t·√(variance), cut to [0, 1]."""
    half = student_quantile(spread.freedom, level) * math.sqrt(spread.total)
    return max(0.0, value - half), min(1.0, value + half)


def _variance_of_figure(shares: Figures) -> float:
    """Return the variance over runs of what their shares sum to."""
    return float(shares.sum(axis=1).var(ddof=1))


def _spread(variances: list[float], numbers: list[int], samples: float, units: int) -> Spread:
    """Put the parts together; Satterthwaite's degrees of freedom."""
    parts = [(variance / n, n - 1) for variance, n in zip(variances, numbers, strict=True)]
    seeds = sum(part for part, _ in parts)
    total = seeds + samples
    below = sum(part**2 / freedom for part, freedom in [*parts, (samples, max(units - 1, 1))])
    return Spread(seeds, samples, total**2 / below if below > 0 else float(units))


def _two_sided(t: float, freedom: float) -> float:
    """Return P(|T| ≥ t) of Student's distribution."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -t))
