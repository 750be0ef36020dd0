"""Ranks and differences from paired tests."""

from __future__ import annotations

import numpy as np
import pytest

from coabench.metrics.predictions import Predicted, Subjects
from coabench.metrics.ranking import difference, ranks

SIZES = [135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35]
K = len(SIZES)
TARGETS = np.repeat(np.arange(K), SIZES)


def answered(right: np.ndarray, clusters: np.ndarray | None = None) -> Predicted:
    """A run that is right where *right* says so, and gives no label elsewhere."""
    return Predicted(tuple(map(str, range(K))), TARGETS, np.where(right, TARGETS, K), clusters)


def coins(seed: int, p: float) -> np.ndarray:
    return np.random.default_rng(seed).random(TARGETS.size) < p


def test_a_tie_is_not_ranked() -> None:
    """Two runs of one UAR, right on different samples, one of them twice, and one that is much worse."""
    even = np.arange(TARGETS.size) % 2 == 0
    a, b = answered(even), answered(~even)
    assert abs(difference(a, b).value) < 0.02
    assert ranks([a, b, a, answered(even & coins(0, 0.3))]) == [(1, 2), (1, 2), (1, 2), (3, 3)]


def test_all_ranks_are_single_where_all_differences_are_clear() -> None:
    runs = [answered(coins(0, p)) for p in (0.9, 0.7, 0.5, 0.3)]
    assert ranks(runs) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert ranks([]) == []
    assert [r.leading for r in ranks(runs)] == [True, False, False, False]


def test_many_equal_runs_are_seldom_told_apart() -> None:
    """Holm keeps the chance of any false difference among twenty runs at 5 %; uncorrected it would be near one."""
    false = sum(
        any(rank != (1, 20) for rank in ranks([answered(coins(100 * trial + i, 0.6)) for i in range(20)]))
        for trial in range(40)
    )
    assert false <= 6  # P(more | 5 %) < 0.01


def test_copies_take_no_star_away() -> None:
    """Eight copies of a run are no further tests: counted, they would make Holm ask for 36 times as much."""
    a, b = answered(coins(1, 0.7)), answered(coins(2, 0.63))
    assert 0.01 < difference(a, b).p < 0.05
    assert ranks([a, b]) == [(1, 1), (2, 2)]
    assert ranks([a, *[b] * 8]) == [(1, 1), *[(2, 2)] * 8]


def test_difference_is_that_of_the_uars() -> None:
    a, b = answered(coins(1, 0.7)), answered(coins(2, 0.6))
    found = difference(a, b)
    assert found.value == pytest.approx(a.shares.sum() - b.shares.sum())
    assert found.low < found.value < found.high
    back = difference(b, a)
    assert (back.value, back.p) == (pytest.approx(-found.value), pytest.approx(found.p))
    same = difference(a, a)
    assert (same.value, same.p) == (0, 1)
    assert same.low < 0 < same.high


def test_subjects_widen_the_interval() -> None:
    """Every person is shown in eight images that succeed and fail together: an eighth of the information."""
    people = np.arange(TARGETS.size) // 8
    rng = np.random.default_rng(0)
    a, b = (rng.random(people.max() + 1)[people] < p for p in (0.7, 0.6))
    alone, together = difference(answered(a), answered(b)), difference(answered(a, people), answered(b, people))
    assert together.value == pytest.approx(alone.value)
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(8**0.5, rel=0.3)
    assert together.p > alone.p


def numbered(names: list[str | None]) -> list[int] | None:
    subjects = Subjects()
    for name in names:
        subjects.add(name)
    numbers = subjects.numbers()
    return None if numbers is None else numbers.tolist()


def test_subjects_count_only_where_one_is_shown_twice() -> None:
    assert numbered(["a", "b", None]) is None
    assert numbered([None, None]) is None
    assert numbered(["a", None, "b", "a", None]) == [0, 1, 2, 0, 3]
