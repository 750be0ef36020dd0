"""Intervals and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from coabench.metrics import macro_f1, uar
from coabench.statistics import bootstrap, percentile_interval, wilson_interval

# The published hits and samples per class of Chain-of-Affect on RAF-DB compound (FACTS, section 1).
HITS = [118, 29, 7, 11, 9, 107, 24, 89, 25, 129, 14]
SIZES = [135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35]


def published() -> np.ndarray:
    confusion = np.zeros((11, 12), dtype=np.int64)
    confusion[np.arange(11), np.arange(11)] = HITS
    confusion[:, -1] = np.subtract(SIZES, HITS)
    return confusion


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 18), (18, 18), (9, 18), (562, 792), (1, 3068)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_scipys(hits: int, n: int, level: float) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(level, method="wilson")
    assert wilson_interval(hits, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)
    low, high = wilson_interval(hits, n, level)
    assert 0 <= low <= hits / n <= high <= 1


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (2, 1), (-1, 3)])
def test_wilson_refuses_what_is_no_proportion(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(hits, n)


def test_published_counts_give_the_published_uar_and_interval() -> None:
    assert uar(published()) * 100 == pytest.approx(60.87, abs=0.005)
    low, high = percentile_interval(uar(bootstrap(published())))
    assert low * 100 == pytest.approx(56.5, abs=0.3)
    assert high * 100 == pytest.approx(65.3, abs=0.3)


def test_bootstrap_keeps_class_sizes_and_impossible_cells() -> None:
    drawn = bootstrap(published(), replicates=200)
    assert drawn.shape == (200, 11, 12)
    assert (drawn.sum(axis=-1) == SIZES).all()
    assert (drawn[:, published() == 0] == 0).all()
    assert drawn.std(axis=0)[published() > 0].min() > 0


def test_bootstrap_agrees_with_resampling_rows() -> None:
    """The multinomial draw is the same experiment as resampling the samples of each class."""
    rng = np.random.default_rng(1)
    confusion = np.array([[12, 5, 0, 3], [2, 30, 9, 0], [0, 4, 6, 1]])
    rows = [np.repeat(np.arange(4), row) for row in confusion]
    naive = np.stack([[np.bincount(rng.choice(row, row.size), minlength=4) for row in rows] for _ in range(4000)])
    ours = bootstrap(confusion, replicates=4000)
    for metric in (uar, macro_f1):
        assert metric(ours).std() == pytest.approx(metric(naive).std(), rel=0.06)
        assert percentile_interval(metric(ours)) == pytest.approx(percentile_interval(metric(naive)), abs=0.015)


def test_seed_decides() -> None:
    assert (bootstrap(published(), 50, seed=3) == bootstrap(published(), 50, seed=3)).all()
    assert (bootstrap(published(), 50, seed=3) != bootstrap(published(), 50, seed=4)).any()


def test_empty_class_draws_nothing() -> None:
    drawn = bootstrap(np.array([[3, 1, 0], [0, 0, 0]]), 10)
    assert (drawn[:, 1] == 0).all()
    assert np.isfinite(uar(drawn)).all()


def test_percentile_interval_covers_the_level() -> None:
    values = np.arange(1001) / 1000
    assert percentile_interval(values, 0.9) == pytest.approx((0.05, 0.95))
