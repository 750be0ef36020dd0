"""Comparing runs that answered the same samples.

Two runs on the same test set fail on many of the same samples. A paired test looks only at the samples on which they
differ, so it tells runs apart whose intervals overlap.

A figure such as the UAR is a sum over samples (or subjects): a hit in class c, one of n_c samples and k classes, adds
1 / (k·n_c). These *shares* (`coabench.metrics.figures.shares`) are all that the tests need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics.intervals import LEVEL, normal_quantile
from coabench.metrics.statistics.resampling import Figures

POWER = 0.8
"""The power for which the minimum detectable effect is given, as is usual."""

ENOUGH = 20.0
"""From how many (effective) differing samples on the normal approximation is used."""

TESTABLE = 6
"""From how many differing samples (or subjects) on a p-value below .05 can be: of n fair coins all fall the same way
with probability 2·2⁻ⁿ, which is .0625 for five of them."""

_STATES = 1 << 20
"""Sums of signs that are listed at most, for each half of the differences."""
_GRID = 1 << 20
_BITS = 320
_TIE = 1e-12
"""Sums that differ by less, in parts of the largest possible sum, are equal: shares are rounded to 16 digits."""


@dataclass(frozen=True)
class Difference:
    """The difference of a figure between two runs: its value, its interval, and the p-value that there is none.

    Interval and p-value never contradict each other: 0 is outside the interval just where p < 1 − level.

    Attributes:
        differing: how many samples (or subjects) add something else to the one run than to the other.
    """

    value: float
    low: float
    high: float
    p: float
    differing: int

    @property
    def testable(self) -> bool:
        """Whether any p-value below .05 was possible."""
        return self.differing >= TESTABLE


def paired_difference(a: Figures, b: Figures, sizes: npt.ArrayLike, level: float = LEVEL) -> Difference:
    """Compare two runs.

    The interval is D ± z·√(Σ w_c²(a_c + b_c + 2/k)), with w_c = 1/(k·n_c) what a sample of class c is worth, and a_c
    and b_c the samples of class c that only the one or only the other run gets right: the large-sample variance where
    nothing separates the runs, with 2/k samples more per class in the manner of Agresti and Coull. The p-value is the
    larger one of this interval's and of `sign_flip`'s; where `sign_flip` does not reject, the interval is widened until
    it holds 0.

    Source: the added samples are those of D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (4),
    2012, pp. 479–488, spread over the classes; the coverage in docs/explanation/coverage.md was measured for this
    project.

    Args:
        a, b: the shares of two runs, shape (units,), the same unit at the same place.
        sizes: samples per class, shape (k,): those that the shares were computed with.
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    value, z = _sum(d), normal_quantile(level)
    error = math.sqrt(float((d**2).sum()) + added_variance(sizes))
    p = max(sign_flip(a, b), math.erfc(abs(value) / error / math.sqrt(2)))
    half = max(z * error, abs(value) if p >= 1 - level else 0.0)
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), p, int(np.count_nonzero(d)))


def added_variance(sizes: npt.ArrayLike) -> float:
    """Return Σ w_c²·2/k of `paired_difference`, from the samples per class, shape (k,)."""
    n = np.asarray(sizes, dtype=np.float64)
    n = n[n > 0]
    k = len(n)
    return float((2 / k / (k * n) ** 2).sum())


def sign_flip(a: Figures, b: Figures) -> float:
    """Return the two-sided p-value that two runs have the same figure.

    If neither run is better, then on each sample (or subject) the two are as likely the other way round: the sign of
    each difference of shares d_i is a fair coin. So the observed T = Σ d_i is compared with Σ ± d_i. Its distribution
    is counted exactly where few differences carry the weight, or all weigh the same (then this is McNemar's exact
    test); else it is taken as normal with variance Σ d_i². The kurtosis that this neglects is −2 over the effective
    number (Σ d_i²)² / Σ d_i⁴.

    Source: R. A. Fisher, *The Design of Experiments*, 1935, section 21 (the randomisation test of paired differences).

    Args:
        a, b: the shares of two runs, shape (units,), the same unit at the same place.
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    weight = np.abs(d[d != 0])
    if not weight.size:
        return 1.0
    if weight.max() - weight.min() <= _TIE * weight.sum():
        ahead = int((d > 0).sum())
        return mcnemar(ahead, weight.size - ahead)
    square, fourth = float((d**2).sum()), float((d**4).sum())
    if square**2 / fourth < ENOUGH:
        return _exact(weight, abs(_sum(d)))
    return math.erfc(abs(_sum(d)) / math.sqrt(2 * square))


def _sum(d: Figures) -> float:
    """Return the sum, which is the same for −d but for the sign: A against B mirrors B against A."""
    return math.fsum(d[d != 0])


def _exact(weight: Figures, observed: float) -> float:
    """Return P(|Σ ± weight_i| ≥ observed) for fair signs.

    The differences are split into two halves, all sums of each are listed with their probabilities, and for each sum
    of the one half it is looked up how probable a sum of the other is that goes with it. Where that would be too many
    sums, a grid fine enough to make no difference takes their place.
    """
    slack = _TIE * float(weight.sum())
    sizes, place = np.unique(np.round(weight / slack), return_inverse=True)
    groups = sorted(
        (int(number), float(weight[place == i].mean()))
        for i, number in enumerate(np.bincount(place, minlength=len(sizes)))
    )
    halves: list[list[tuple[int, float]]] = [[], []]
    states = [1, 1]
    for number, size in reversed(groups):
        smaller = int(states[1] < states[0])
        halves[smaller].append((number, size))
        states[smaller] *= number + 1
    if max(states) > _STATES:
        return _on_grid(weight, observed)
    (first, chance), (second, other) = (_sums(half) for half in halves)
    order = np.argsort(second)
    second, below = second[order], np.concatenate([[0.0], np.cumsum(other[order])])
    above = below[-1] - below[np.searchsorted(second, observed - slack - first, side="left")]
    under = below[np.searchsorted(second, -observed + slack - first, side="right")]
    if observed <= slack:
        return 1.0
    return float(min(1.0, (chance * (above + under)).sum()))


def _sums(groups: list[tuple[int, float]]) -> tuple[Figures, Figures]:
    """Return every sum of signed weights, and how probable it is; a group is (how many weights, their size)."""
    sums, chances = np.zeros(1), np.ones(1)
    for number, size in groups:
        heads = np.arange(number + 1)
        chance = np.array([math.comb(number, int(j)) / 2**number for j in heads])
        sums = (sums[:, None] + size * (2 * heads - number)).ravel()
        chances = (chances[:, None] * chance).ravel()
    return sums, chances


def _on_grid(weight: Figures, observed: float) -> float:
    """Return `_exact` from weights rounded to a grid; sums that rounding may have moved count as reached.

    The characteristic function of the sum is a product of cosines, and a Fourier transform gives the probabilities.
    """
    step = float(weight.sum()) / (_GRID // 2 - 1 - len(weight))
    size, count = np.unique(np.rint(weight / step).astype(np.int64), return_counts=True)
    angle = 2 * np.pi * np.arange(_GRID // 2 + 1) / _GRID
    transform = np.ones(len(angle))
    for one, number in zip(size, count, strict=True):
        transform *= np.cos(angle * one) ** number
    probability = np.fft.irfft(transform, n=_GRID)
    place = np.minimum(np.arange(_GRID), _GRID - np.arange(_GRID))
    reached = place >= observed / step - len(weight) / 2
    return float(min(1.0, max(0.0, probability[reached].sum())))


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value that two runs have the same accuracy (WAR).

    Of the samples that just one of them gets right, either is as likely the one: the p-value is twice the lower tail
    of the binomial distribution with *only_a* + *only_b* trials and probability ½, at most 1.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947, pp. 153–157; in its exact, binomial form.

    The coefficients are whole numbers, cut to their first 256 bits and more where there are thousands of samples: no
    float64 tells the difference, and a million samples take a second.

    Args:
        only_a: how many samples only the first run gets right.
        only_b: how many only the second.
    """
    n, least = only_a + only_b, min(only_a, only_b)
    term, tail, dropped = 1, 0, 0  # the binomial coefficient, and the sum of those so far, without so many last bits
    for i in range(least + 1):
        tail += term
        term = term * (n - i) // (i + 1)
        if term >> _BITS:
            term, tail, dropped = term >> 64, tail >> 64, dropped + 64
    return min(1.0, 2 * tail / (1 << n - dropped))


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


def minimum_detectable(
    a: Figures, b: Figures, sizes: npt.ArrayLike, level: float = LEVEL, power: float = POWER
) -> float:
    """Return the smallest true difference that two runs like these would show with the given *power*.

    (z_{(1+level)/2} + z_power) · √(Σ d_i² + what `paired_difference` adds), with d_i the differences of shares: what a
    test at this level can see at this number of samples and with this much disagreement.

    Source: D. Card et al., "With little power comes great responsibility", EMNLP 2020, section 2; the formula is the
    usual one for a test with a normal statistic.

    Args:
        a, b: the shares of two runs, shape (units,).
        sizes: samples per class, shape (k,).
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    error = math.sqrt(float((d**2).sum()) + added_variance(sizes))
    return (normal_quantile(level) + NormalDist().inv_cdf(power)) * error
