"""Agreement with and among annotators, against enumeration, published examples, scikit-learn and SciPy."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import log_loss

from coabench.metrics.agreement import (
    cross_entropies,
    entropies,
    jensen_shannon,
    krippendorff,
    others_agreeing,
    several,
    shares_agreeing,
    vote_shares,
)
from coabench.metrics.statistics import share_mean_interval, student_interval, wilson_interval
from coabench.metrics.statistics.means import ratios_without

VOTES = np.array([[9, 1, 0, 0], [3, 3, 3, 1], [0, 0, 2, 0], [1, 4, 0, 2]], dtype=np.float64)


def counted(rows: list[str]) -> npt.NDArray[np.float64]:
    """Votes by unit and value, from a line for each observer; a dot is a missing value."""
    units = [[int(value) for value in column if value != "."] for column in zip(*rows, strict=True)]
    return np.array([[unit.count(value) for value in range(1, 6)] for unit in units], dtype=np.float64)


def test_krippendorffs_example_with_missing_data() -> None:
    """Computing Krippendorff's alpha-reliability (2011), C: four observers, twelve units, α = .743."""
    votes = counted(["123321412...", "1233224125.3", ".333234225 1.".replace(" ", ""), "12332441251."])
    alpha, _ = krippendorff(votes[several(votes)])
    assert alpha == pytest.approx(0.743, abs=5e-4)


def test_the_example_of_three_coders() -> None:
    """Fifteen units, α = .691 for nominal data: the example of the encyclopaedias."""
    votes = counted([".....3412113 3.3".replace(" ", ""), "1.213343.......", "..213 44.2113 3.4".replace(" ", "")])
    alpha, _ = krippendorff(votes[several(votes)])
    assert alpha == pytest.approx(0.691, abs=5e-4)


def test_alpha_equals_its_definition_by_pairs() -> None:
    """1 − D_o/D_e, from every ordered pair of votes within a sample, and of all votes."""
    rng = np.random.default_rng(1)
    votes = rng.integers(0, 4, (12, 3)).astype(np.float64)
    votes = votes[several(votes)]
    within, everything = 0.0, []
    for row in votes.astype(int):
        ballots = [label for label, number in enumerate(row) for _ in range(number)]
        everything += ballots
        within += sum(a != b for a, b in permutations(ballots, 2)) / (len(ballots) - 1)
    n = len(everything)
    expected = sum(a != b for a, b in permutations(everything, 2)) / (n * (n - 1))
    alpha, without = krippendorff(votes)
    assert alpha == pytest.approx(1 - within / n / expected)
    for left_out, value in enumerate(without):
        assert value == pytest.approx(krippendorff(np.delete(votes, left_out, axis=0))[0])
    assert not set(np.arange(3)) - set(everything)


def test_alpha_of_persons_leaves_out_all_their_samples() -> None:
    persons = np.array([0, 1, 0, 2])
    alpha, without = krippendorff(VOTES, persons)
    assert alpha == krippendorff(VOTES)[0]
    assert without[0] == pytest.approx(krippendorff(VOTES[[1, 3]])[0])


def test_alpha_of_votes_for_one_label_is_undefined_and_of_agreement_1() -> None:
    assert math.isnan(krippendorff(np.array([[3.0, 0], [4, 0]]))[0])
    assert krippendorff(np.array([[3.0, 0], [0, 4]]))[0] == 1


def test_another_annotator_agrees_as_often_as_enumeration_says() -> None:
    for row, value in zip(VOTES.astype(int), others_agreeing(VOTES), strict=True):
        ballots = [label for label, number in enumerate(row) for _ in range(number)]
        pairs = list(permutations(ballots, 2))
        assert value == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))


def test_only_whole_votes_of_several_are_compared() -> None:
    votes = np.array([[1, 0], [1, 1], [0.5, 1.5], [2, 0]])
    assert several(votes).tolist() == [False, True, False, True]


def test_a_prediction_agrees_with_those_who_chose_it() -> None:
    shares = vote_shares(VOTES)
    assert shares_agreeing(shares, [0, 3, 2, 4]).tolist() == [0.9, 0.1, 1.0, 0.0]  # 4 is no label
    best = max(shares_agreeing(shares, guess).mean() for guess in np.ndindex(4, 4, 4, 4))
    assert shares.max(axis=1).mean() == pytest.approx(best)


def test_divergences_equal_scipy_and_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p, shares = rng.dirichlet(np.ones(4), len(VOTES)), vote_shares(VOTES)
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, shares, strict=True)]
    assert jensen_shannon(shares, np.log(p)) == pytest.approx(np.array(expected))
    one_each = np.eye(4)[[0, 1, 2, 3]]
    assert cross_entropies(one_each, np.log(p)).mean() == pytest.approx(log_loss([0, 1, 2, 3], p))
    assert cross_entropies(shares, np.log(np.maximum(shares, 1e-300))) == pytest.approx(entropies(shares))
    assert entropies(np.full((1, 4), 0.25)) == pytest.approx(math.log(4))


def test_what_went_to_no_label_is_apart_from_all_votes() -> None:
    nothing = np.log(np.full((1, 2), 1e-12))
    assert jensen_shannon(np.array([[1.0, 0.0]]), nothing) == pytest.approx(1.0, abs=1e-6)
    half = jensen_shannon(np.array([[1.0, 0.0]]), np.log([[0.5, 1e-12]]))
    assert half == pytest.approx(jensenshannon([0.5, 0.5], [1, 0], base=2) ** 2, abs=1e-6)


def test_of_hits_the_interval_is_wilsons() -> None:
    hits = np.array([1.0] * 7 + [0.0] * 3)
    assert share_mean_interval(hits) == pytest.approx(wilson_interval(7, 10))
    assert share_mean_interval(np.ones(12)) == pytest.approx(wilson_interval(12, 12))


def test_where_nothing_varies_the_interval_has_a_width() -> None:
    low, high = share_mean_interval(np.full(10, 0.8))
    assert (low, high) == pytest.approx(wilson_interval(8, 10), abs=0.1)
    one = share_mean_interval(np.full(6, 1.0), np.zeros(6, dtype=np.int64))  # one person: one sample
    assert one == pytest.approx(wilson_interval(1, 1))
    assert student_interval(0.5, np.full(4, 0.5)) is None
    assert student_interval(0.5, np.array([0.5])) is None


def test_of_many_samples_it_is_the_usual_one() -> None:
    rng = np.random.default_rng(3)
    values = rng.binomial(10, rng.beta(2, 1, 4000)) / 10
    low, high = share_mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=2e-4)


@pytest.mark.parametrize(("a", "b", "n"), [(9, 1, 20), (30, 0.6, 50), (2, 1, 10)])
def test_it_holds_the_truth_as_often_as_it_says(a: float, b: float, n: int) -> None:
    held = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        low, high = share_mean_interval(rng.binomial(10, rng.beta(a, b, n)) / 10)
        held += low <= a / (a + b) <= high
    assert held / 400 >= 0.93


def test_ratios_without_each_person() -> None:
    parts, wholes, persons = np.array([1.0, 2, 3]), np.array([2.0, 2, 4]), np.array([0, 1, 1])
    assert ratios_without(parts, wholes).tolist() == [5 / 6, 4 / 6, 3 / 4]
    assert ratios_without(parts, wholes, persons).tolist() == [5 / 6, 0.5]
