"""Comparing runs that answered the same samples.

Two runs on the same test set fail on many of the same samples. A paired test looks only at the samples on which they
differ, so it tells runs apart whose intervals overlap.

The UAR is a sum over samples (or subjects): a hit in class c, one of n_c samples and k classes, adds 1 / (k·n_c). These
*shares* (`coabench.metrics.figures.shares`) are all that the tests need.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics.intervals import LEVEL
from coabench.metrics.statistics.resampling import Figures

POWER = 0.8
"""The power for which the minimum detectable effect is given, as is usual."""

ENOUGH = 20.0
"""From how many (effective) differing samples on the normal approximation is used."""

_GRID = 1 << 14


def sign_flip(a: Figures, b: Figures) -> float:
    """Return the two-sided p-value that two runs have the same UAR.

    If neither run is better, then on each sample (or subject) the two are as likely the other way round: the sign of
    each difference of shares d_i is a fair coin. So the observed T = Σ d_i is compared with Σ ± d_i. Its distribution
    is computed exactly where few differences carry the weight, and else as normal with variance Σ d_i²; the kurtosis
    that this neglects is −2 over the effective number (Σ d_i²)² / Σ d_i⁴. With one class, one subject per sample and
    the normal distribution, this is McNemar's test without continuity correction.

    Source: R. A. Fisher, *The Design of Experiments*, 1935, section 21 (the randomisation test of paired differences);
    M. W. Fagerland, S. Lydersen and P. Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic are
    better than exact conditional", BMC Medical Research Methodology 13:91, 2013.

    Args:
        a, b: the shares of two runs, shape (units,), the same unit at the same place.
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    square, fourth = float((d**2).sum()), float((d**4).sum())
    if square == 0:
        return 1.0
    if square**2 / fourth < ENOUGH:
        return _exact(d)
    return math.erfc(abs(float(d.sum())) / math.sqrt(2 * square))


def sign_flip_matrix(shares: Figures) -> Figures:
    """Return the p-values of `sign_flip` for every pair of runs, shape (r, r), with a diagonal of ones.

    Σ(a − b)² and Σ(a − b)⁴ of all pairs are sums of matrix products, so a thousand runs take about a second.

    Args:
        shares: the shares of r runs, shape (r, units).
    """
    x = np.asarray(shares, dtype=np.float64)
    if not x.size:
        return np.ones((len(x), len(x)))
    x = x / max(x.max(), 1e-300)  # keep fourth powers away from rounding to nothing
    x2, x3 = x**2, x**3
    s2, s4 = (x2).sum(axis=1), (x2 * x2).sum(axis=1)
    p11, p31, p22 = x @ x.T, x3 @ x.T, x2 @ x2.T
    square = s2[:, None] + s2[None, :] - 2 * p11
    fourth = s4[:, None] + s4[None, :] - 4 * p31 - 4 * p31.T + 6 * p22
    total = x.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(total[:, None] - total[None, :]) / np.sqrt(np.maximum(square, 0))
        few = ~(np.maximum(square, 0) ** 2 >= ENOUGH * fourth)
    p = _two_sided(np.nan_to_num(z, nan=0.0, posinf=0.0))
    for i, j in zip(*np.nonzero(np.triu(few, 1)), strict=True):
        p[i, j] = p[j, i] = sign_flip(x[i], x[j])
    np.fill_diagonal(p, 1.0)
    return p


def _two_sided(z: Figures) -> Figures:
    """Return P(|Z| ≥ z) of the standard normal distribution, for z ≥ 0 of any shape."""
    result: Figures = np.vectorize(math.erfc, otypes=[np.float64])(z / math.sqrt(2))
    return result


def _exact(d: Figures) -> float:
    """Return P(|Σ ± d_i| ≥ |Σ d_i|) for fair signs.

    The distribution lives on a grid of whole numbers to which the differences are rounded (to 1/8,192 of their sum);
    its characteristic function is a product of cosines, and a Fourier transform gives the probabilities.
    """
    d = d[d != 0]
    whole = np.rint(d * ((_GRID // 2 - 1 - len(d)) / np.abs(d).sum())).astype(np.int64)
    size, count = np.unique(np.abs(whole), return_counts=True)
    angle = 2 * np.pi * np.arange(_GRID // 2 + 1)[:, None] * size[None, :] / _GRID
    probability = np.fft.irfft(np.prod(np.cos(angle) ** count, axis=1), n=_GRID)
    place = np.minimum(np.arange(_GRID), _GRID - np.arange(_GRID))
    return float(min(1.0, max(0.0, probability[place >= abs(int(whole.sum()))].sum())))


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value that two runs have the same accuracy (WAR).

    Of the samples that just one of them gets right, either is as likely the one: the p-value is twice the lower tail
    of the binomial distribution with *only_a* + *only_b* trials and probability ½, at most 1.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947, pp. 153–157; in its exact, binomial form.

    Args:
        only_a: how many samples only the first run gets right.
        only_b: how many only the second.
    """
    n = only_a + only_b
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**n)))


def holm(p: npt.ArrayLike) -> Figures:
    """Return p-values adjusted for their number, shape (n,), so that the chance of any false rejection stays bounded.

    Sorted upwards, the i-th of n is multiplied by n − i + 1, and none becomes smaller than the one before it.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979, pp. 65–70.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def minimum_detectable(a: Figures, b: Figures, level: float = LEVEL, power: float = POWER) -> float:
    """Return the smallest true difference of UAR that two runs like these would show with the given *power*.

    (z_{(1+level)/2} + z_power) · √(Σ d_i²), with d_i the differences of shares: what a test at this level can see at
    this number of samples and with this much disagreement.

    Source: D. Card et al., "With little power comes great responsibility", EMNLP 2020, section 2; the formula is the
    usual one for a test with a normal statistic.

    Args:
        a, b: the shares of two runs, shape (units,).
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    normal = NormalDist()
    return (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)) * math.sqrt(float((d**2).sum()))
