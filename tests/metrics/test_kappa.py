"""Cohen's κ: its variance against a numerical derivative, its interval at the edges and by coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from coabench.base.schema import At, read_fields
from coabench.metrics.headline import ADJUSTED_UAR, KAPPA, UAR
from coabench.metrics.kappa import kappa, kappa_interval, kappa_variance
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import normal_quantile
from coabench.metrics.stored import StoredMetrics
from coabench.metrics.summary import summarise

Z = normal_quantile()


def test_an_example_by_hand() -> None:
    """Cohen's own layout: 20 of 25 agree, and 0.5·0.6 + 0.5·0.4 of them by chance."""
    table = np.array([[20, 5, 0], [10, 15, 0]])
    assert kappa(table) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert kappa(np.array([[20, 5, 0], [10, 5, 10]])) == pytest.approx((0.5 - 0.4) / (1 - 0.4))  # ten INVALID


def test_the_variance_is_that_of_the_delta_method() -> None:
    """n·Var = Σ p·g² − (Σ p·g)², with g the derivative of κ by each cell's probability."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.integers(1, 40, (4, 5)).astype(np.float64)
        n, p, step = table.sum(), table / table.sum(), 1e-6
        slope = np.zeros_like(p)
        for cell in np.ndindex(p.shape):
            moved = np.zeros_like(p)
            moved[cell] = step
            slope[cell] = (_kappa(p + moved) - _kappa(p - moved)) / (2 * step)
        expected = ((p * slope**2).sum() - (p * slope).sum() ** 2) / n
        assert kappa_variance(table) == pytest.approx(expected, rel=1e-6)


def _kappa(p: npt.NDArray[np.float64]) -> float:
    """κ as a function of probabilities that need not sum to 1."""
    observed = p[:, :-1].trace()
    expected = float(p.sum(axis=1) @ p[:, :-1].sum(axis=0))
    return float((observed - expected) / (1 - expected))


def run(sizes: tuple[int, ...], hits: tuple[int, ...], clusters: npt.NDArray[np.int64] | None = None) -> Predicted:
    targets = np.repeat(np.arange(len(sizes)), sizes)
    within = np.concatenate([np.arange(n) for n in sizes])
    right = within < np.repeat(hits, sizes)
    return Predicted(tuple("abcdefg")[: len(sizes)], targets, np.where(right, targets, len(sizes)), clusters)


def test_where_all_is_right_the_interval_has_a_width() -> None:
    predicted = run((3,) * 7, (3,) * 7)
    (value, low, high), why = KAPPA.measure(predicted)
    assert (value, high, why) == (1.0, 1.0, None)
    n = 21  # Wilson's lower bound of 21 of 21, seen beyond the 1/7 of chance
    assert low == pytest.approx((n / (n + Z**2) - 1 / 7) / (6 / 7))


def test_of_one_class_it_is_undefined() -> None:
    predicted = run((5, 0), (5, 0))
    for figure in (KAPPA, ADJUSTED_UAR):
        estimate, why = figure.measure(predicted)
        assert (estimate.value, estimate.low) == (None, None)
        assert why is not None
        assert "one class" in why


def test_one_answer_for_all_of_a_large_class_stays_within_its_range() -> None:
    """98 of 100 are right, and would be by chance: seen beyond it, 93 of 100 are less than −1."""
    targets = np.repeat([0, 1], [98, 2])
    (value, low, high), _ = KAPPA.measure(Predicted(("a", "b"), targets, np.zeros(100, dtype=np.int64)))
    assert (value, low) == (0, -1)
    assert high is not None
    assert 0 < high < 1
    metrics = summarise(
        ({"target": "ab"[t], "prediction": "a", "status": "ok", "reason": None, "turns": []} for t in targets),
        {"names": ["a", "b"]},
        "hash",
    )
    read_fields(StoredMetrics, metrics | {"plugins": {}}, At("metrics"))
    assert KAPPA.read(metrics) == (value, low, high)


def test_worse_than_chance_is_below_0() -> None:
    predicted = run((10, 10), (1, 2))
    wrong = np.where(predicted.predictions == 2, 1 - predicted.targets, predicted.predictions)
    predicted = Predicted(predicted.names, predicted.targets, wrong)
    for figure in (KAPPA, ADJUSTED_UAR):
        value, low, high = figure.measure(predicted)[0]
        assert value is not None
        assert low is not None
        assert high is not None
        assert -1 <= low < value < high < 0


def test_the_adjusted_uar_has_the_interval_of_the_uar_seen_beyond_chance() -> None:
    predicted = run((30, 10, 20), (25, 3, 11))
    adjusted = [(bound - 1 / 3) / (2 / 3) for bound in UAR.measure(predicted)[0] if bound is not None]
    assert list(ADJUSTED_UAR.measure(predicted)[0]) == pytest.approx(adjusted)


def test_images_of_one_person_count_together() -> None:
    sizes, hits = (40, 40), (24, 32)
    persons = np.concatenate([np.arange(40) // 4, np.arange(40) // 4])
    alone, together = (KAPPA.measure(run(sizes, hits, clusters))[0] for clusters in (None, persons))
    assert alone.value == together.value
    assert None not in (*alone, *together)
    assert together.high - together.low > 1.2 * (alone.high - alone.low)  # type: ignore[operator]


@pytest.mark.parametrize(("sizes", "recall"), [((135, 47, 22, 33, 18, 141), 0.9), ((5,) * 7, 0.98), ((10, 90), 0.9)])
def test_it_holds_the_truth_as_often_as_it_says(sizes: tuple[int, ...], recall: float) -> None:
    """Where κ ± z·√variance holds it in 94, 51 and 97 % of trials."""
    k, n = len(sizes), np.array(sizes, dtype=np.float64)
    whole = np.full((k, k + 1), (1 - recall) / k) * n[:, None]
    whole[np.arange(k), np.arange(k)] = recall * n
    truth, held, trials = float(kappa(whole)), 0, 400  # type: ignore[arg-type]
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        table = np.stack([rng.multinomial(size, row / size) for size, row in zip(sizes, whole, strict=True)])
        low, high = kappa_interval(table.astype(np.float64), Z)
        held += low - 1e-9 <= truth <= high + 1e-9
    assert held / trials >= 0.92
