"""Confidence intervals: of proportions and of their mean, from counts; of anything else, from replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""The confidence level of every interval, unless another is asked for."""

HALVINGS = 60
"""Steps of a bisection: 2⁻⁶⁰ of its range is less than a float64 can tell apart."""

Interval = tuple[float, float]


def normal_quantile(level: float = LEVEL) -> float:
    """Return z with P(|Z| ≤ z) = *level* for a standard normal Z."""
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson_interval(hits: float, n: float, level: float = LEVEL, quantile: float | None = None) -> Interval:
    """Return the score interval of a proportion.

    With p = hits/n and z the normal quantile of (1 + level)/2, the bounds are
    ``(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)``. Unlike the textbook interval p ± z·√(p(1−p)/n) it stays
    within [0, 1] and is of use for thin classes and for proportions of 0 and 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (158), 1927, pp. 209–212.

    Args:
        hits, n: counts; *effective* ones need not be whole.
        quantile: z, where it is not the normal one of *level*.

    Raises:
        ValueError: *n* is not positive, or *hits* is not within 0…n.
    """
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} make no proportion")
    z = normal_quantile(level) if quantile is None else quantile
    p, shrink = hits / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n hits one bound is exactly 0 or 1; rounding must not push it past.
    return (0.0 if hits == 0 else max(0.0, centre - half), 1.0 if hits == n else min(1.0, centre + half))


def mean_score_interval(
    hits: npt.ArrayLike, sizes: npt.ArrayLike, level: float = LEVEL, quantile: float | None = None
) -> Interval:
    """Return the score interval of a mean of independent proportions, such as the UAR.

    It holds every mean θ that a score test does not reject: those with (θ̂ − θ)² ≤ z²·V(θ), where θ̂ is the mean of
    the k observed proportions h_c/n_c, and V(θ) = k⁻²·Σ p̃_c(1 − p̃_c)/(n_c − 1) its variance under the proportions p̃
    that are likeliest among those whose mean is θ. With one class, and n in the place of n − 1, this is Wilson's
    interval. It has a width where every proportion is 0 or 1, and thin classes beside large ones do not make it too
    narrow; see docs/explanation/coverage.md for the coverage that was measured.

    The likeliest p̃ solve λp² − (λ + n_c)p + h_c = 0 for each class, with one λ for all; θ falls as λ grows from 0. The
    lower bound is where the inequality stops holding, found by bisection over λ; the upper one is 1 minus the lower
    bound of the misses. n_c − 1 (at least 1) for n_c is the correction for the variance that classes have among
    themselves; it was chosen by the coverage measured.

    Source: score intervals under constrained maximum likelihood: O. Miettinen and M. Nurminen, "Comparative analysis
    of two rates", Statistics in Medicine 4, 1985, pp. 213–226, who also have the factor n/(n − 1); for linear
    combinations of proportions: A. Martín Andrés, I. Herranz Tejedor and M. Álvarez Hernández, "Inferences about a
    linear combination of proportions", Statistical Methods in Medical Research 20 (4), 2011, pp. 369–387. The equation
    above was derived for this code from the likelihood.

    Args:
        hits: per class, shape (k,), each within 0…size.
        sizes: samples per class, shape (k,), each positive; *effective* ones need not be whole.
        quantile: z, where it is not the normal one of *level*.

    Raises:
        ValueError: there are no classes, one has no samples, or more hits than samples.
    """
    h, n = np.asarray(hits, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if h.shape != n.shape or h.ndim != 1 or not h.size or n.min() <= 0 or (h < 0).any() or (h > n).any():
        raise ValueError("hits and sizes must be vectors of one length, each class with samples and 0…n hits")
    z = normal_quantile(level) if quantile is None else quantile
    return _lowest_mean(h, n, z), 1 - _lowest_mean(n - h, n, z)


def _lowest_mean(h: npt.NDArray[np.float64], n: npt.NDArray[np.float64], z: float) -> float:
    """Return the lower bound of `mean_score_interval`."""
    k, observed, spare = len(n), float((h / n).mean()), np.maximum(n - 1, 1)
    if not h.any():
        return 0.0

    def constrained(multiplier: float) -> npt.NDArray[np.float64]:
        """Return the likeliest proportions for λ ≥ 0: the smaller root, in the form that does not cancel."""
        s = multiplier + n
        return np.minimum(1.0, 2 * h / (s + np.sqrt(np.maximum(s * s - 4 * multiplier * h, 0))))

    inside, outside = 0.0, 1.0  # λ = max(n)·u/(1 − u), so that all λ ≥ 0 are within 0 ≤ u < 1
    for _ in range(HALVINGS):
        u = (inside + outside) / 2
        p = constrained(n.max() * u / (1 - u))
        if (observed - p.mean()) ** 2 > z * z * float((p * (1 - p) / spare).sum()) / k**2:
            outside = u
        else:
            inside = u
    return float(constrained(n.max() * outside / max(1 - outside, 1e-300)).mean())


def student_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return t with P(|T| ≤ t) = *level* for Student's T with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def jackknife_variance(without: npt.NDArray[np.float64]) -> float:
    """Return the variance of a figure from the same figure with each of m subjects left out in turn, shape (m,).

    (m − 1)/m · Σ (without_i − their mean)².

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993, section 11.2.
    """
    m = len(without)
    return (m - 1) / m * float(((without - without.mean()) ** 2).sum())


def percentile_interval(replicates: npt.NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the percentile interval of bootstrap *replicates*, shape (r,): their (1 ∓ level)/2 quantiles.

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993, section 13.3.
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def difference_interval(first: tuple[float, Interval], second: tuple[float, Interval]) -> Interval:
    """Return the interval of the difference of two independent figures, each with its own interval.

    With a in [l, u] and b in [l′, u′], the bounds are a − b − √((a − l)² + (u′ − b)²) and
    a − b + √((u − a)² + (b − l′)²), at the level of the two intervals.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, 1998, pp. 873–890, method 10.
    """
    (a, (a_low, a_high)), (b, (b_low, b_high)) = first, second
    return a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)


def mean_of_independent(figures: Sequence[tuple[float, Interval]]) -> Interval:
    """Return the interval of the mean of independent figures, each with its own interval; see `difference_interval`."""
    value = sum(figure for figure, _ in figures) / len(figures)
    below, above = (
        math.sqrt(sum((figure - bounds[end]) ** 2 for figure, bounds in figures)) / len(figures) for end in (0, 1)
    )
    return value - below, value + above
