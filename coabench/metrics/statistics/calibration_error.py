"""The expected calibration error of n samples in bins: its interval, and what chance alone makes of it.

The error is the sum of absolute values of means: Σ_b |A_b|, where A_b is the mean over *all* samples of right −
confidence, counted as 0 outside bin b. So it is never below what chance leaves in the bins, and its plain bootstrap
never holds 0; see docs/explanation/calibration.md for what these intervals hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from coabench.metrics.statistics.intervals import LEVEL, Interval
from coabench.metrics.statistics.resampling import SEED, Counts, Figures

DRAWS = 4_000
"""Simulated test sets behind an interval and a quantile."""

EXACT = 1_000
"""Samples of a bin up to which the number of hits has its exact distribution; beyond, the normal one."""

HALVINGS = 40


@dataclass(frozen=True)
class Binned:
    """Confidences and hits in bins.

    Attributes:
        bin: the bin of each sample, shape (n,), within 0…B−1; none is empty.
        confidence, right: shape (n,).
        clusters: the person in each image, shape (n,); None where samples are independent.
    """

    bin: Counts
    confidence: Figures
    right: Figures
    clusters: Counts | None = None

    def sums(self, values: Figures) -> Figures:
        """Return the sum of *values* over each bin, shape (B,)."""
        return np.bincount(self.bin, weights=values).astype(np.float64)

    @cached_property
    def shares(self) -> Figures:
        """The part of the samples that is in each bin, shape (B,)."""
        return np.bincount(self.bin) / len(self.bin)

    @cached_property
    def gaps(self) -> Figures:
        """The A_b, shape (B,)."""
        return self.sums(self.right - self.confidence) / len(self.bin)

    @property
    def error(self) -> float:
        return float(np.abs(self.gaps).sum())

    @property
    def persons(self) -> int | None:
        return None if self.clusters is None else int(self.clusters.max()) + 1

    def variances(self, hits: Figures, gaps: Figures, within: Figures | float = 0.0) -> Figures:
        """Return the variance of each A_b for independent samples, shape (B,).

        A_b is a mean of independent values (right − confidence)·[in bin b], so it is (E[their squares] − A_b²)/n.

        Args:
            hits: the chance of a hit in each bin.
            gaps: the A_b.
            within: the variance of the confidences in each bin, where these are what makes a hit likelier.
        """
        squares = self.shares * (np.maximum(hits * (1 - hits) - within, 0) + (gaps / self.shares) ** 2)
        made: Figures = (squares - gaps**2) / len(self.bin)
        return made

    @cached_property
    def observed_variances(self) -> Figures:
        """The variances with (hits + 1)/(n_b + 2) as the chance of a hit, which are not 0 where all are right."""
        return self.variances((self.sums(self.right) + 1) / (np.bincount(self.bin) + 2), self.gaps)

    @cached_property
    def between(self) -> Figures:
        """The covariance of the A_b from what the m persons add to them, shape (B, B): m/(m − 1)·Σ_j r_j r_jᵀ."""
        assert self.clusters is not None
        m = int(self.clusters.max()) + 1
        sums = np.zeros((m, len(self.gaps)))
        np.add.at(sums, (self.clusters, self.bin), (self.right - self.confidence) / len(self.bin))
        residuals = sums - np.outer(np.bincount(self.clusters) / len(self.bin), self.gaps)
        made: Figures = m / (m - 1) * residuals.T @ residuals
        return made

    @cached_property
    def effect(self) -> float:
        """The design effect: how much larger the variances are because images of one person go together, at least 1.

        The mean over the bins, as the first correction of J. N. K. Rao and A. J. Scott, "The analysis of categorical
        data from complex sample surveys", Journal of the American Statistical Association 76, 1981, pp. 221–230.
        """
        if self.persons in (None, 1):
            return 1.0
        return max(1.0, float(np.trace(self.between) / self.observed_variances.sum()))

    def noise(self, rng: np.random.Generator) -> Figures:
        """Draw what the A_b deviate by, in standard deviations of independent samples, shape (draws, B).

        Over persons the bins go together, as they do in `between`, and the distribution is Student's t.
        """
        drawn: Figures = rng.standard_normal((DRAWS, len(self.gaps)))
        if self.persons is None or self.persons == 1:
            return drawn
        spread = np.sqrt(np.diag(self.between))
        together = self.between / np.maximum(np.outer(spread, spread), 1e-300)
        np.fill_diagonal(together, 1.0)
        values, vectors = np.linalg.eigh(together)
        drawn = drawn @ (vectors * np.sqrt(np.maximum(values, 0))).T
        freedom = self.persons - 1
        return drawn * math.sqrt(self.effect) / np.sqrt(rng.chisquare(freedom, (DRAWS, 1)) / freedom)


class CalibrationError(NamedTuple):
    """The expected calibration error.

    Attributes:
        interval: None where all samples show one person.
        chance: the error that a perfectly calibrated model of these confidences would show, on average.
        chance_high: and the one that it exceeds with the chance (1 − level)/2. The interval holds 0 just where the
            error is not above it.
    """

    error: float
    interval: Interval | None
    chance: float
    chance_high: float


def calibration_error(binned: Binned, level: float = LEVEL) -> CalibrationError:
    """Return the expected calibration error, its interval, and what chance alone would make of it.

    **By chance.** With the confidences as the true probabilities, the hits of a bin are a sum of independent draws
    (the Poisson-binomial distribution), and the error is Σ_b |hits_b − Σ_i c_i| / n. The mean is exact up to `EXACT`
    samples in a bin; the quantile is simulated from these distributions with a fixed seed. Over persons the mean is
    multiplied by the square root of the design effect, and the quantile is that of the noise described next. That a
    calibrated model shows an error above 0: A. Kumar, P. Liang and T. Ma, "Verified uncertainty calibration", NeurIPS
    2019.

    **The interval** holds every error θ under which the observed one is neither too large nor too small for chance:
    a score test inverted along one path. On the path the gaps are α_b = sign(A_b)·max(|A_b| − λ·v_b, 0), with v_b
    the variance of A_b: their sum of absolute values goes through every θ, and of all gaps with that sum these are
    the likeliest for uncorrelated A_b (the Lagrange condition of weighted least squares). Under α the error of a
    test set is drawn as Σ|α_b + ε_b|, with ε from the normal distribution whose variances are those of the hits
    under α, on whichever side of the confidence these are larger, and with half a hit as the correction for
    continuity; over m persons they are multiplied by the design effect, the bins are correlated as the persons'
    sums are, and Student's t with m − 1 degrees of freedom takes the place of the normal distribution; and the
    interval reaches up to the error and what all gaps together then deviate by, at least. The observed error always
    lies within. This was derived for this code, and chosen by the coverage measured.
    """
    rng, tail = np.random.default_rng(SEED), (1 - level) / 2
    chance, drawn = _by_chance(binned, rng)
    errors = _Errors(binned, binned.noise(rng))
    if binned.persons is not None:
        drawn = errors(np.zeros_like(binned.gaps))
    high = float(np.quantile(drawn, 1 - tail))
    interval = None if binned.persons == 1 else _interval(binned, errors, high, tail)
    return CalibrationError(binned.error, interval, chance * math.sqrt(binned.effect), high)


class _Errors:
    """Draws the errors of test sets whose true gaps are known."""

    def __init__(self, binned: Binned, noise: Figures) -> None:
        self._binned, self._noise = binned, noise
        self._signs = np.where(binned.gaps < 0, -1.0, 1.0)
        sizes = np.bincount(binned.bin)
        self.confidence = binned.sums(binned.confidence) / sizes
        self._within = np.maximum(binned.sums(binned.confidence**2) / sizes - self.confidence**2, 0)

    def __call__(self, size: Figures) -> Figures:
        """Return errors where the gaps have these sizes and the observed signs, shape (draws,)."""
        made: Figures = np.abs(size + self.deviations(size)).sum(axis=1)
        return made

    def deviations(self, size: Figures) -> Figures:
        """Return by how much larger the gaps then come out, shape (draws, B)."""
        binned = self._binned
        sides = [np.clip(self.confidence + side * size / binned.shares, 0, 1) for side in (-1, 1)]
        variances = np.maximum(*(binned.variances(side, size, self._within) for side in sides))
        made: Figures = self._signs * self._noise * np.sqrt(variances)
        return made


def _interval(binned: Binned, errors: _Errors, chance_high: float, tail: float) -> Interval:
    observed, weights, error = binned.gaps, binned.observed_variances, binned.error
    half = 0.5 / len(binned.bin)

    def gaps(multiplier: float) -> Figures:
        made: Figures = np.maximum(np.abs(observed) - multiplier * weights, 0)
        return made

    def too_small(multiplier: float) -> bool:
        """Whether θ is so small that the observed error is too large for it."""
        return float((errors(gaps(multiplier)) >= error - half).mean()) < tail

    def too_large(multiplier: float) -> bool:
        return float((errors(gaps(multiplier)) <= error + half).mean()) < tail

    low = 0.0
    if error > chance_high:
        low = float(gaps(_edge(too_small, 0.0, float((np.abs(observed) / weights).max()))).sum())
    beyond = -1 / math.sqrt(float(weights.max()))
    while not too_large(beyond):
        beyond *= 2
    high = error if too_large(0.0) else float(gaps(_edge(too_large, 0.0, beyond)).sum())
    if binned.persons is not None:
        high = max(high, error + float(np.quantile(errors.deviations(np.abs(observed)).sum(axis=1), 1 - tail)))
    largest = float((binned.shares * np.maximum(errors.confidence, 1 - errors.confidence)).sum())
    return min(low, error), max(error, min(high, largest))


def _edge(rejected: Callable[[float], bool], accepted: float, beyond: float) -> float:
    """Return where a test along the path begins to reject, by bisection."""
    for _ in range(HALVINGS):
        middle = (accepted + beyond) / 2
        if rejected(middle):
            beyond = middle
        else:
            accepted = middle
    return accepted


def _by_chance(binned: Binned, rng: np.random.Generator) -> tuple[float, Figures]:
    """Return the mean error of independent samples whose confidences are true, and draws of it, shape (draws,)."""
    n, mean, drawn = len(binned.bin), 0.0, np.zeros(DRAWS)
    for b in range(int(binned.bin.max()) + 1):
        c = binned.confidence[binned.bin == b]
        if len(c) > EXACT:
            sd = math.sqrt(float((c * (1 - c)).sum()))
            mean += sd * math.sqrt(2 / math.pi)
            drawn += sd * np.abs(rng.standard_normal(DRAWS))
            continue
        chances = _poisson_binomial(c)
        distance = np.abs(np.arange(len(c) + 1) - c.sum())
        mean += float(chances @ distance)
        position = np.searchsorted(np.cumsum(chances), rng.random(DRAWS), side="right")
        drawn += distance[np.minimum(position, len(c))]
    return mean / n, drawn / n


def _poisson_binomial(c: Figures) -> Figures:
    """Return the probability of 0…n hits of n independent draws with these probabilities, shape (n + 1,)."""
    chances = np.zeros(len(c) + 1)
    chances[0] = 1.0
    for done, p in enumerate(c):
        chances[1 : done + 2] = chances[1 : done + 2] * (1 - p) + chances[: done + 1] * p
        chances[0] *= 1 - p
    return chances
