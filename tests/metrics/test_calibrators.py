"""Corrections of confidence: what is fitted is what SciPy and scikit-learn find, or what stood there before."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from coabench.errors import UserError
from coabench.metrics.calibrators import Isotonic, Platt, Temperature
from coabench.metrics.distributions import Distribution, normalised

NAMES = ["a", "b", "c", "d"]


def too_sure(n: int, factor: float, seed: int = 0) -> tuple[list[Distribution], list[str]]:
    """Log-probabilities of labels that are *factor* times those of the truth, and true labels drawn from the truth."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n, 4))
    targets = [str(rng.choice(NAMES, p=np.exp(row) / np.exp(row).sum())) for row in logits]
    return [normalised(dict(zip(NAMES, factor * row, strict=True))) for row in logits], targets


def test_a_temperature_undoes_what_was_done() -> None:
    distributions, targets = too_sure(4000, 2.5)
    found = Temperature.fit(distributions, targets)
    assert found.temperature == pytest.approx(2.5, rel=0.06)


def test_a_temperature_has_the_least_log_loss() -> None:
    distributions, targets = too_sure(200, 0.6, seed=1)
    found = Temperature.fit(distributions, targets).temperature

    def loss(temperature: float) -> float:
        after = map(Temperature(temperature=temperature).distribution, distributions)
        return float(log_loss(targets, np.exp([list(each.values()) for each in after]), labels=NAMES))

    assert loss(found) < min(loss(found * 1.02), loss(found / 1.02), loss(1.0))


def test_the_best_label_stays_the_best() -> None:
    distributions, _ = too_sure(50, 1.0)
    for temperature in (0.05, 0.7, 3.0, 80.0):
        for each in distributions:
            after = Temperature(temperature=temperature).distribution(each)
            assert sorted(after, key=lambda o: after[o]) == sorted(each, key=lambda o: each[o])
            assert sum(map(math.exp, after.values())) == pytest.approx(1)


@pytest.mark.parametrize("right", [True, False])
def test_no_temperature_fits(right: bool) -> None:
    """Every best label is true: the surer the better; or every worst one is."""
    distributions, _ = too_sure(60, 1.0)
    targets = [(max if right else min)(each, key=lambda o: each[o]) for each in distributions]  # type: ignore[arg-type,return-value]
    with pytest.raises(UserError, match="no temperature fits"):
        Temperature.fit(distributions, [str(target) for target in targets])


def test_platt_has_the_least_cross_entropy_with_platts_targets() -> None:
    rng = np.random.default_rng(2)
    sure = rng.uniform(0.1, 1, 150)
    right = (rng.random(150) < sure**2).astype(float)
    found = Platt.fit(sure, right)
    hits, misses = right.sum(), 150 - right.sum()
    target = np.where(right == 1, (hits + 1) / (hits + 2), 1 / (misses + 2))
    x = np.log(sure / (1 - sure))

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] * x + parameters[1]
        return float((np.logaddexp(0, -z) * target + np.logaddexp(0, z) * (1 - target)).sum())

    best = minimize(loss, [1.0, 0.0], tol=1e-12)
    assert (found.slope, found.intercept) == pytest.approx(tuple(best.x), abs=2e-4)


def test_platt_is_finite_where_confidence_parts_hits_from_misses() -> None:
    found = Platt.fit(np.array([0.1, 0.2, 0.8, 1.0] * 10), np.array([0.0, 0.0, 1.0, 1.0] * 10))
    low, high = found.confidence(np.array([0.0, 1.0]))
    assert 0 < low < 0.1 < 0.9 < high < 1


def test_isotonic_is_the_mean_where_confidence_says_nothing() -> None:
    """0.2 and 0.4 stand the wrong way round, so both get their mean, 1/2; 0.9 is right in two of three."""
    sure = np.array([0.2, 0.2, 0.4, 0.4, 0.9, 0.9, 0.9])
    right = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    found = Isotonic.fit(sure, right)
    assert found.confidence(np.array([0.0, 0.3, 0.9, 1.0])) == pytest.approx([0.5, 0.5, 2 / 3, 2 / 3])
