"""What a test set can show, before anybody annotates or trains."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics.intervals import HALVINGS, LEVEL, normal_quantile
from coabench.metrics.statistics.paired import POWER, added_variance


def power(sizes: npt.ArrayLike, difference: float, disagreement: float, level: float = LEVEL) -> float:
    """Return the probability that `paired_difference` finds a true difference of UAR.

    On each sample just one of two runs is right with probability δ, the *disagreement*; the better one (δ + d)/2, the
    worse one (δ − d)/2, with d the difference. Then the observed difference is taken as normal with mean d and variance
    Σ n_c·w_c²·(δ − d²), w_c = 1/(k·n_c), and the test rejects beyond z·√(Σ n_c·w_c²·δ + what it adds).

    Source: the usual power of a test with a normal statistic, for McNemar's test as in R. J. Connor, "Sample size for
    testing differences in proportions for the paired-sample design", Biometrics 43, 1987, pp. 207–211; the sum over
    classes was derived for this code and is checked against simulation in its tests.

    Args:
        sizes: samples per class, shape (k,), each at least 1.
        difference: d, within 0…disagreement.
        disagreement: δ, within 0…1.
    """
    n = np.asarray(sizes, dtype=np.float64)
    worth = float((n / (len(n) * n) ** 2).sum())
    threshold = normal_quantile(level) * math.sqrt(worth * disagreement + added_variance(n))
    spread = math.sqrt(worth * max(disagreement - difference**2, 1e-12))
    normal = NormalDist(difference, spread)
    return 1 - normal.cdf(threshold) + normal.cdf(-threshold)


def detectable(sizes: npt.ArrayLike, disagreement: float, level: float = LEVEL, wanted: float = POWER) -> float | None:
    """Return the smallest true difference of UAR that is found with the power *wanted*.

    None where even the largest difference that this *disagreement* allows, itself, is not.
    """
    small, large = 0.0, disagreement
    if power(sizes, large, disagreement, level) < wanted:
        return None
    for _ in range(HALVINGS):
        middle = (small + large) / 2
        if power(sizes, middle, disagreement, level) < wanted:
            small = middle
        else:
            large = middle
    return large
