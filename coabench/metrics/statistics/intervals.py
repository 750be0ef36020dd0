"""Confidence intervals: of a proportion from its counts, of anything else from its bootstrap replicates."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""The confidence level of every interval, unless told otherwise."""


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


def percentile_interval(replicates: npt.NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of bootstrap *replicates*, shape (r,): their (1 ∓ level)/2 quantiles.

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993, section 13.3.
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
