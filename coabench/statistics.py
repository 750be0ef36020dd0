"""How sure a figure is: intervals for proportions, and the bootstrap for means over classes.

Pure functions on numbers and arrays. Everything random is seeded by an argument with a fixed default, so the same
counts give the same interval (with the same version of numpy).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""The confidence level of every interval, unless told otherwise."""

REPLICATES = 10_000
"""How many times the bootstrap draws the test set again."""

SEED = 0
"""The seed of the bootstrap. Any fixed number does; it is recorded with the intervals."""

Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]


def wilson_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a proportion.

    With p = hits/n and z the normal quantile of (1 + level)/2, the bounds are
    ``(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)``. Unlike the textbook interval p ± z·√(p(1−p)/n) it stays
    within [0, 1] and is of use for thin classes and for proportions of 0 and 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (158), 1927, pp. 209–212.

    Raises:
        ValueError: *n* is not positive, or *hits* is not within 0…n.
    """
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} make no proportion")
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, shrink = hits / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n hits one bound is exactly 0 or 1; rounding must not push it past.
    return (0.0 if hits == 0 else max(0.0, centre - half), 1.0 if hits == n else min(1.0, centre + half))


def bootstrap(confusion: Counts, replicates: int = REPLICATES, seed: int = SEED) -> Counts:
    """Draw a test set again and again, each class by itself, and return the confusion matrices.

    Resampling the n_c samples of class c with replacement, and counting how they were predicted, *is* one draw from
    the multinomial distribution with n_c trials and the probabilities ``confusion[c] / n_c``. So the rows are never
    touched: a replicate costs k draws instead of N look-ups. The class sizes stay what they are (stratified), as
    for a test set that was composed class by class.

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993: chapter 8
    (resampling each sample of a several-sample problem by itself) and chapter 13 (percentile intervals).

    Args:
        confusion: counts, shape (k, m): true class by prediction; see `coabench.metrics.confusion_matrix`.
        replicates: how many to draw.
        seed: of the random generator.

    Returns:
        Counts, shape (replicates, k, m).
    """
    rng = np.random.default_rng(seed)
    drawn = np.zeros((replicates, *confusion.shape), dtype=np.int64)
    for c, row in enumerate(confusion):
        n = int(row.sum())
        if n:
            seen = np.flatnonzero(row)  # a prediction that never occurred cannot be drawn: skip the zeros
            drawn[:, c, seen] = rng.multinomial(n, row[seen] / n, size=replicates)
    return drawn


def percentile_interval(replicates: Figures, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of bootstrap *replicates*, shape (r,): their (1 ∓ level)/2 quantiles.

    Source: Efron and Tibshirani 1993, section 13.3.
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
