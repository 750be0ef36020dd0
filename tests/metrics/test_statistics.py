"""Intervals, the bootstrap, and tests of paired runs."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from coabench.metrics.figures import (
    confusion_matrix,
    macro_f1,
    paired_table,
    shares,
    uar,
    uar_difference,
    war,
    war_difference,
)
from coabench.metrics.statistics import (
    bootstrap,
    holm,
    mcnemar,
    minimum_detectable,
    percentile_interval,
    sign_flip,
    sign_flip_matrix,
    wilson_interval,
)

# The published hits and samples per class of Chain-of-Affect on RAF-DB compound (FACTS, section 1).
HITS = [118, 29, 7, 11, 9, 107, 24, 89, 25, 129, 14]
SIZES = [135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35]


def published() -> np.ndarray:
    return matrix(HITS)


def matrix(hits: npt.ArrayLike) -> np.ndarray:
    """A confusion matrix with these hits per class; whatever is no hit got no label."""
    confusion = np.zeros((11, 12), dtype=np.int64)
    confusion[np.arange(11), np.arange(11)] = hits
    confusion[:, -1] = np.subtract(SIZES, hits)
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


TRIALS = 1000


def test_bootstrap_se_is_the_analytic_one() -> None:
    """The variance of a mean of independent proportions, with the proportions as observed."""
    p = np.divide(HITS, SIZES)
    analytic = np.sqrt((p * (1 - p) / SIZES).sum()) / len(SIZES)
    assert uar(bootstrap(published())).std() == pytest.approx(analytic, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("recall", [None, 0.5, 0.9])
def test_uar_intervals_cover_the_truth(recall: float | None) -> None:
    """At RAF-DB compound's class counts (18 to 174), with the published recalls and with equal ones."""
    p = np.divide(HITS, SIZES) if recall is None else np.full(len(SIZES), recall)
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(TRIALS):
        hits = rng.binomial(SIZES, p)
        low, high = percentile_interval(uar(bootstrap(matrix(hits), 1000, seed=trial)))
        covered += low <= p.mean() <= high
    assert 0.93 <= covered / TRIALS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("only_a", "only_b"), [(0.1, 0.1), (0.2, 0.1), (0.05, 0.03)])
def test_paired_intervals_cover_the_truth_and_the_test_keeps_its_level(only_a: float, only_b: float) -> None:
    rng = np.random.default_rng(1)
    covered = rejected = 0
    for trial in range(TRIALS):
        table = np.stack([rng.multinomial(n, [only_a, only_b, 1 - only_a - only_b]) for n in SIZES])
        low, high = percentile_interval(uar_difference(bootstrap(table, 1000, seed=trial)))
        covered += low <= only_a - only_b <= high
        rejected += sign_flip(*shares_of(table)) < 0.05
    assert 0.93 <= covered / TRIALS <= 0.97
    if only_a == only_b:
        assert 0.03 <= rejected / TRIALS <= 0.07


def shares_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of two runs that a paired table counts."""
    targets = np.repeat(np.arange(len(table)), table.sum(axis=1))
    outcome = np.concatenate([np.repeat([0, 1, 2], row) for row in table])
    k = len(table)
    a, b = (shares(targets, np.where(outcome == who, targets, k), k) for who in (0, 1))
    return a, b


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_is_the_enumeration(seed: int) -> None:
    """All 2¹² assignments of signs, for a dozen differences of three sizes."""
    rng = np.random.default_rng(seed)
    d = rng.choice([-1, 1, 1], 12) / rng.choice([18, 36, 180], 12)
    totals = np.array([np.dot(signs, np.abs(d)) for signs in product([-1, 1], repeat=12)])
    expected = (np.abs(totals) >= abs(d.sum()) - 1e-12).mean()
    assert sign_flip(d, np.zeros(12)) == pytest.approx(expected, abs=0.01)
    assert sign_flip(np.zeros(12), d) == sign_flip(d, np.zeros(12))


@pytest.mark.parametrize(("only_a", "only_b"), [(4, 0), (8, 2), (13, 5)])
def test_sign_flip_of_one_class_is_mcnemar(only_a: int, only_b: int) -> None:
    d = np.array([1 / 18] * only_a + [-1 / 18] * only_b)
    assert sign_flip(d, 0 * d) == pytest.approx(mcnemar(only_a, only_b), abs=1e-9)
    many = np.array([1 / 180] * 130 + [-1 / 180] * 100)
    assert sign_flip(many, 0 * many) == pytest.approx(2 * stats.norm.sf(30 / 230**0.5), abs=1e-12)


def test_sign_flip_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    runs = (rng.random((12, 300)) < rng.uniform(0.5, 0.7, 12)[:, None]) / rng.choice([18, 100, 170], 300)
    runs = np.concatenate([runs, runs[:1]])
    runs[-1, :3] = 0  # almost the same as the first: few differences, counted exactly
    p = sign_flip_matrix(runs)
    assert p == pytest.approx(np.array([[sign_flip(a, b) for b in runs] for a in runs]), abs=1e-9)
    assert (p == p.T).all()
    assert (np.diagonal(p) == 1).all()


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (5, 5), (9, 2), (300, 250), (2000, 1000)])
def test_mcnemar_is_scipys_binomial_test(a: int, b: int) -> None:
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)


def test_holm() -> None:
    """The worked example: 0.01, 0.02, 0.03, 0.04 -> 0.04, 0.06, 0.06, 0.06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]).size == 0


def test_minimum_detectable_effect_is_detected_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    sizes, rate = np.array(SIZES) * 4, 0.2
    a, b = shares_of(np.stack([rng.multinomial(n, [rate / 2, rate / 2, 1 - rate]) for n in sizes]))
    effect = minimum_detectable(a, b)
    gained = [(rate + effect) / 2, (rate - effect) / 2, 1 - rate]
    seen = sum(sign_flip(*shares_of(np.stack([rng.multinomial(n, gained) for n in sizes]))) < 0.05 for _ in range(400))
    assert seen / 400 == pytest.approx(0.8, abs=0.06)


def test_bootstrap_of_subjects_with_one_sample_each_is_the_unstratified_one() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), [40, 60, 100])
    predictions = np.where(rng.random(200) < 0.7, targets, 3)
    alone = bootstrap(confusion_matrix(targets, predictions, 3, np.arange(200)))
    assert (alone.sum(axis=(1, 2)) == 200).all()
    assert war(alone).std() == pytest.approx(np.sqrt(0.7 * 0.3 / 200), rel=0.1)
    assert (bootstrap(confusion_matrix(targets, predictions, 3, np.arange(200)), 50) == alone[:50]).all()


def test_paired_table() -> None:
    targets, a, b = [0, 0, 0, 1, 1], [0, 0, 2, 1, 0], [0, 1, 2, 0, 1]
    table = paired_table(targets, a, b, 2)
    assert table.tolist() == [[1, 0, 2], [1, 1, 0]]
    assert uar_difference(table) == pytest.approx((1 / 3 + 0) / 2)
    assert war_difference(table) == pytest.approx(1 / 5)
    by_subject = paired_table(targets, a, b, 2, [0, 0, 1, 1, 1])
    assert by_subject.shape == (2, 2, 3)
    assert (by_subject.sum(axis=0) == table).all()
    assert shares(targets, a, 2).sum() == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert shares(targets, a, 2, [0, 0, 1, 1, 1]) == pytest.approx([1 / 3, 1 / 4])
