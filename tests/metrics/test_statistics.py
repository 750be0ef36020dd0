"""Intervals, the bootstrap, and tests of paired runs."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import lcm

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
    all_pairs,
    bootstrap,
    detectable,
    difference_interval,
    holm,
    jackknife_variance,
    mcnemar,
    mean_score_interval,
    minimum_detectable,
    paired_difference,
    paired_p_matrix,
    percentile_interval,
    power,
    sign_flip,
    student_quantile,
    told_apart,
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
    low, high = mean_score_interval(HITS, SIZES)
    assert (100 * low, 100 * high) == pytest.approx((56.52, 65.27), abs=0.005)


@pytest.mark.parametrize(("classes", "size", "low"), [(7, 3, 78.47), (3, 7, 82.41), (5, 3, 72.25)])
def test_all_right_is_not_certain(classes: int, size: int, low: float) -> None:
    """The percentile bootstrap gives the interval 100 to 100 here."""
    found = mean_score_interval([size] * classes, [size] * classes)
    assert (100 * found[0], found[1]) == (pytest.approx(low, abs=0.01), 1.0)
    nothing = mean_score_interval([0] * classes, [size] * classes)
    assert nothing == (0.0, pytest.approx(1 - found[0]))


def test_the_score_interval_holds_just_the_means_that_its_test_does_not_reject() -> None:
    """The bounds, by the definition: at them the constrained likelihood's variance explains the distance exactly."""
    hits, n, k = np.array([9, 4, 0, 11]), np.array([10, 9, 7, 30]), 4
    for bound in mean_score_interval(hits, n):
        inside, outside = -1e7, 1e7  # of λ
        for _ in range(200):
            middle = (inside + outside) / 2
            roots = [np.roots([middle, -(middle + m), h]) for h, m in zip(hits, n, strict=True)]
            p = np.array([next(r.real for r in found if -1e-9 <= r.real <= 1 + 1e-9) for found in roots])
            inside, outside = (middle, outside) if p.mean() > bound else (inside, middle)
        variance = (p * (1 - p) / (n - 1)).sum() / k**2
        assert (bound - (hits / n).mean()) ** 2 == pytest.approx(1.959964**2 * variance, rel=1e-4)


def test_one_class_gives_wilsons_interval_at_one_sample_less() -> None:
    low, high = mean_score_interval([14], [20])
    z2 = 1.959964**2
    for bound in (low, high):
        assert (bound - 0.7) ** 2 == pytest.approx(z2 * bound * (1 - bound) / 19, rel=1e-5)


@pytest.mark.parametrize(("hits", "sizes"), [([], []), ([1], [0]), ([3], [2]), ([-1], [2]), ([1, 1], [2])])
def test_the_score_interval_refuses_what_are_no_proportions(hits: list[int], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="hits and sizes"):
        mean_score_interval(hits, sizes)


def test_newcombes_difference_is_his_example() -> None:
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, case (a), method 10)."""
    first, second = (0.8, wilson_interval(56, 70)), (0.6, wilson_interval(48, 80))
    assert difference_interval(first, second) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([0.2, 0.5, 0.9, 0.4])
    without = (values.sum() - values) / 3
    assert jackknife_variance(without) == pytest.approx(values.var(ddof=1) / 4)
    assert student_quantile(3) == pytest.approx(stats.t.ppf(0.975, 3))


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


@pytest.mark.parametrize("recall", [None, 0.5, 0.9])
def test_uar_intervals_cover_the_truth(recall: float | None) -> None:
    """At RAF-DB compound's class counts (18 to 174), with the published recalls and with equal ones."""
    p = np.divide(HITS, SIZES) if recall is None else np.full(len(SIZES), recall)
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(TRIALS):
        hits = rng.binomial(SIZES, p)
        low, high = mean_score_interval(hits, SIZES)
        covered += low <= p.mean() <= high
    assert 0.93 <= covered / TRIALS <= 0.97


@pytest.mark.parametrize(("only_a", "only_b"), [(0.1, 0.1), (0.2, 0.1), (0.05, 0.03)])
def test_paired_intervals_cover_the_truth_and_the_test_keeps_its_level(only_a: float, only_b: float) -> None:
    rng = np.random.default_rng(1)
    covered = rejected = 0
    for _ in range(TRIALS):
        table = np.stack([rng.multinomial(n, [only_a, only_b, 1 - only_a - only_b]) for n in SIZES])
        found = paired_difference(*shares_of(table), SIZES)
        covered += found.low <= only_a - only_b <= found.high
        rejected += found.p < 0.05
    assert 0.935 <= covered / TRIALS <= 0.98
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
    assert sign_flip(d, np.zeros(12)) == pytest.approx(expected, abs=1e-12)
    assert sign_flip(np.zeros(12), d) == sign_flip(d, np.zeros(12))


def outcomes(sizes: npt.ArrayLike, only_a: npt.ArrayLike, only_b: npt.ArrayLike) -> np.ndarray:
    """A paired table."""
    n, a, b = map(np.asarray, (sizes, only_a, only_b))
    return np.stack([a, b, n - a - b], axis=1)


@pytest.mark.parametrize(
    ("sizes", "only_a", "only_b", "p"),
    [([100, 200, 50], [4, 6, 1], [2, 1, 0], 0.0771484375), ([10, 20, 40], [5, 6, 0], [0, 5, 0], 0.0703125)],
)
def test_ties_between_classes_are_ties(sizes: list[int], only_a: list[int], only_b: list[int], p: float) -> None:
    """Sizes in whole ratios: a sample of the one class weighs as much as two of the other."""
    a, b = shares_of(outcomes(sizes, only_a, only_b))
    assert sign_flip(a, b) == pytest.approx(p, abs=1e-12)


def enumerated(sizes: list[int], only_a: list[int], only_b: list[int]) -> float:
    """The p-value of the sign-flip test by counting all outcomes, in whole numbers."""
    weights = [lcm(*sizes) // n for n in sizes]
    observed = abs(sum(w * (a - b) for w, a, b in zip(weights, only_a, only_b, strict=True)))
    ways = Counter({0: 1})
    for weight, a, b in zip(weights, only_a, only_b, strict=True):
        for _ in range(a + b):
            ways = Counter({total: ways[total - weight] + ways[total + weight] for total in
                            {t + s for t in ways for s in (-weight, weight)}})  # fmt: skip
    return sum(count for total, count in ways.items() if abs(total) >= observed) / ways.total()


def test_sign_flip_of_2000_small_tables_is_the_enumeration() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        sizes = rng.choice([2, 3, 4, 5, 8, 10, 16, 20, 33, 40, 47, 100, 200], rng.integers(1, 5)).tolist()
        only_a = [int(rng.integers(0, min(4, n) + 1)) for n in sizes]
        only_b = [int(rng.integers(0, min(4, n - a) + 1)) for n, a in zip(sizes, only_a, strict=True)]
        d = np.subtract(*shares_of(outcomes(sizes, only_a, only_b)))
        few = (d**2).sum() ** 2 < 20 * (d**4).sum() or len(set(np.abs(d[d != 0]).round(12))) < 2
        if few:
            assert sign_flip(d, 0 * d) == pytest.approx(enumerated(sizes, only_a, only_b), abs=1e-12)


def test_many_small_differences_beside_few_large_ones() -> None:
    """Too many sums to list: a fine grid takes their place, and agrees with sampling."""
    rng = np.random.default_rng(0)
    d = np.concatenate([[1.0, 1.0, 1.0, -1.0, 1.0], rng.random(400) * rng.choice([-0.02, 0.02], 400)])
    flipped = np.abs((rng.integers(0, 2, (100_000, len(d))) * 2 - 1) @ np.abs(d))
    assert sign_flip(d, 0 * d) == pytest.approx((flipped >= abs(d.sum())).mean(), abs=0.006)


def test_interval_and_p_value_never_contradict_each_other() -> None:
    """5,000 pairs of runs, small and large, alike and apart; and B against A is the mirror of A against B."""
    rng = np.random.default_rng(0)
    for _ in range(5000):
        sizes = rng.integers(1, 60, rng.integers(1, 8))
        rates = rng.dirichlet([1, 1, rng.choice([1, 5, 20])])
        a, b = shares_of(np.stack([rng.multinomial(n, rates) for n in sizes]))
        found, mirrored = paired_difference(a, b, sizes), paired_difference(b, a, sizes)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        assert (mirrored.value, mirrored.low, mirrored.high, mirrored.p) == (
            -found.value, -found.high, -found.low, found.p,
        )  # fmt: skip
        assert found.low <= found.value <= found.high
        assert found.testable == (found.differing > 5)
        assert found.testable or found.p > 0.05


def test_with_balanced_classes_uar_and_war_have_the_same_p() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = int(rng.integers(2, 50))
        table = np.stack([rng.multinomial(size, [0.2, 0.1, 0.7]) for _ in range(7)])
        a, b = shares_of(table)
        hits = [(run > 0) / len(run) for run in (a, b)]
        assert paired_difference(a, b, [size] * 7).p == pytest.approx(paired_difference(*hits, [7 * size]).p, abs=1e-12)


@pytest.mark.parametrize(("only_a", "only_b"), [(4, 0), (8, 2), (13, 5)])
def test_sign_flip_of_one_class_is_mcnemar(only_a: int, only_b: int) -> None:
    d = np.array([1 / 18] * only_a + [-1 / 18] * only_b)
    assert sign_flip(d, 0 * d) == pytest.approx(mcnemar(only_a, only_b), abs=1e-9)
    many = np.array([1 / 180] * 130 + [-1 / 180] * 100)
    assert sign_flip(many, 0 * many) == mcnemar(130, 100)


@pytest.mark.parametrize("sizes", [[18, 100, 182], [60] * 5])
def test_the_p_values_of_all_pairs(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    worth = np.repeat(1 / (len(sizes) * np.array(sizes)), sizes)
    runs = (rng.random((12, 300)) < rng.uniform(0.5, 0.7, 12)[:, None]) * worth
    runs = np.concatenate([runs, runs[:1]])
    runs[-1, :3] = 0  # almost the same as the first: few differences, counted exactly
    p = paired_p_matrix(runs, sizes)
    assert p == pytest.approx(np.array([[paired_difference(a, b, sizes).p for b in runs] for a in runs]), abs=1e-9)
    assert (p == p.T).all()
    assert (np.diagonal(p) == 1).all()


@pytest.mark.parametrize("block", [5, 512])
def test_runs_are_told_apart_block_by_block_as_holm_says(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(all_pairs, "BLOCK", block)
    rng = np.random.default_rng(1)
    runs = np.where(rng.random((23, 60)) < np.linspace(0.1, 0.9, 23)[:, None], 1 / 60, 0.0)
    upper = np.triu_indices(len(runs), 1)
    expected = np.zeros((len(runs), len(runs)), dtype=bool)
    expected[upper] = holm([paired_difference(runs[i], runs[j], [60]).p for i, j in zip(*upper, strict=True)]) < 0.05
    assert 0 < expected.sum() < len(upper[0])
    assert (told_apart(runs, [60], 0.05) == expected | expected.T).all()
    assert not told_apart(runs[:1], [60], 0.05).any()


def test_runs_that_get_nothing_right_are_not_told_apart() -> None:
    assert (paired_p_matrix(np.zeros((3, 20)), [12, 8]) == 1).all()
    assert paired_difference(np.zeros(20), np.zeros(20), [12, 8]).p == 1


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (5, 5), (9, 2), (300, 250), (2000, 1000), (49_900, 50_300)])
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
    effect = minimum_detectable(a, b, sizes)
    gained = [(rate + effect) / 2, (rate - effect) / 2, 1 - rate]
    seen = sum(sign_flip(*shares_of(np.stack([rng.multinomial(n, gained) for n in sizes]))) < 0.05 for _ in range(400))
    assert seen / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("sizes", "difference", "disagreement"),
    [(SIZES, 0.05, 0.2), (SIZES, 0.08, 0.3), ([100] * 7, 0.03, 0.1), ([200, 40], 0.1, 0.25)],
)
def test_power_is_that_of_the_test(sizes: list[int], difference: float, disagreement: float) -> None:
    rng = np.random.default_rng(0)
    rates = [(disagreement + difference) / 2, (disagreement - difference) / 2, 1 - disagreement]
    pairs = (shares_of(np.stack([rng.multinomial(n, rates) for n in sizes])) for _ in range(1000))
    seen = sum(paired_difference(a, b, sizes).p < 0.05 for a, b in pairs)
    assert seen / 1000 == pytest.approx(power(sizes, difference, disagreement), abs=0.04)


def test_the_smallest_difference_shown_has_the_power() -> None:
    found = detectable(SIZES, 0.2)
    assert found is not None
    assert power(SIZES, found, 0.2) == pytest.approx(0.8, abs=1e-9)
    assert detectable([3] * 3, 0.1) is None


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
