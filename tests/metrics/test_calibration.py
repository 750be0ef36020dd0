"""Calibration, against numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from coabench.metrics.calibration import calibrate, confidence
from coabench.metrics.statistics import wilson_interval


def turn(label: str | None, **probabilities: float) -> dict[str, Any]:
    return {"label": label, "scores": {name: math.log(p) for name, p in probabilities.items()} or None}


def test_confidence_is_the_product_of_normalised_probabilities() -> None:
    # 0.3 of 0.3 + 0.1 is 3/4; 0.2 of 0.2 + 0.2 + 0.1 is 2/5.
    turns = [turn("a", a=0.3, b=0.1), turn("c", a=0.2, c=0.2, d=0.1)]
    assert confidence(turns) == pytest.approx(0.75 * 0.4)


def test_confidence_needs_a_score_for_every_answer() -> None:
    assert confidence([]) is None
    assert confidence([turn("a")]) is None
    assert confidence([turn("a", a=0.5, b=0.5), turn(None, a=0.5, b=0.5)]) is None
    assert confidence([turn("z", a=0.5, b=0.5)]) is None


def test_confidence_of_tiny_probabilities_does_not_vanish() -> None:
    assert confidence([{"label": "a", "scores": {"a": -2000.0, "b": -2000.0}}]) == pytest.approx(0.5)
    assert confidence([{"label": "a", "scores": {"a": -0.1, "b": -1e9}}]) == pytest.approx(1.0)


def test_a_worked_example() -> None:
    """Ten predictions in three bins.

    (0.5, 0.6]: 0.55 0.6 with one hit of two; mean 0.575, gap 0.075.
    (0.8, 0.9]: 0.85 0.85 0.9 0.9 with one hit of four; mean 0.875, gap 0.625.
    (0.9, 1.0]: 0.95 0.95 1 1 with four hits; mean 0.975, gap 0.025.
    ECE = (2 · 0.075 + 4 · 0.625 + 4 · 0.025) / 10 = 0.275.
    """
    sure = [0.55, 0.6, 0.85, 0.85, 0.9, 0.9, 0.95, 0.95, 1.0, 1.0]
    right = [1, 0, 1, 0, 0, 0, 1, 1, 1, 1]
    found = calibrate(sure, right)
    assert found.ece == pytest.approx(0.275)
    assert [(b.n, b.accuracy) for b in found.bins] == [(2, 0.5), (4, 0.25), (4, 1.0)]
    assert [b.confidence for b in found.bins] == pytest.approx([0.575, 0.875, 0.975])
    assert [(b.left, b.right) for b in found.bins] == [(0.5, 0.6), (0.8, 0.9), (0.9, 1.0)]
    assert found.bins[1].interval == wilson_interval(1, 4)
    assert (found.n, found.accuracy, found.confidence) == (10, 0.6, pytest.approx(0.855))


def test_zero_and_one_have_a_bin() -> None:
    found = calibrate([0.0, 1.0], [False, True])
    assert [(b.left, b.right, b.n) for b in found.bins] == [(0.0, 0.1, 1), (0.9, 1.0, 1)]
    assert found.ece == 0


@pytest.mark.parametrize(("sure", "right"), [([], []), ([0.5], [True, False]), ([1.1], [True]), ([float("nan")], [1])])
def test_what_makes_no_calibration(sure: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match=r"confidence"):
        calibrate(sure, right)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_its_definition(pairs: list[tuple[float, bool]]) -> None:
    sure, right = np.array([s for s, _ in pairs]), np.array([r for _, r in pairs])
    found = calibrate(sure, right)
    edges = np.arange(11) / 10
    expected = 0.0
    for b in range(10):
        inside = (sure > edges[b]) & (sure <= edges[b + 1]) | ((b == 0) & (sure == 0))
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert found.ece == pytest.approx(expected)
    assert sum(b.n for b in found.bins) == len(pairs)


def test_chance_is_what_calibrated_models_show() -> None:
    """Against a simulation of its own: about 9.5 points at 100 samples, 3.4 at 792, of confidences within 0.2…1."""
    for n, points in ((100, 9.5), (792, 3.4)):
        rng = np.random.default_rng(n)
        sure = rng.uniform(0.2, 1, n)
        place = np.ceil(sure * 10).astype(int)
        right = rng.random((4000, n)) < sure
        errors = sum(np.abs((right - sure)[:, place == b].sum(axis=1)) for b in range(3, 11)) / n
        found = calibrate(sure, right[0])
        assert found.chance == pytest.approx(errors.mean(), rel=0.02)
        assert 100 * found.chance == pytest.approx(points, abs=0.4)
        assert found.chance_high == pytest.approx(np.quantile(errors, 0.975), rel=0.04)


def test_chance_in_one_bin_is_that_of_the_binomial_distribution() -> None:
    found = calibrate(np.full(40, 0.85), np.ones(40))
    assert found.chance == pytest.approx(binom(40, 0.85).expect(lambda hits: abs(hits - 34)) / 40)


def test_the_interval_holds_0_just_where_chance_explains_the_error() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.3, 1, 120)
        found = calibrate(sure, rng.random(120) < sure - 0.004 * seed)
        assert found.interval is not None
        assert found.interval[0] <= found.ece <= found.interval[1] <= 1
        assert (found.interval[0] == 0) == (found.ece <= found.chance_high)


def test_all_right_and_certain_is_no_point() -> None:
    """Of 21 hits at confidence 1: as Wilson's interval, down to about 85 % right."""
    found = calibrate(np.ones(21), np.ones(21))
    assert (found.ece, found.chance) == (0, 0)
    assert found.interval is not None
    assert found.interval[0] == 0
    assert 0.08 < found.interval[1] < 0.25


def test_persons_widen_the_interval_and_chance() -> None:
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(12), 20)
    sure = rng.uniform(0.3, 1, 240)
    right = rng.random(240) < np.where(person % 2, 1.0, 0.35)
    alone, together = calibrate(sure, right), calibrate(sure, right, clusters=person)
    assert together.ece == alone.ece
    assert together.subjects == 12
    assert together.chance > 1.3 * alone.chance
    assert alone.interval is not None
    assert together.interval is not None
    assert together.interval[1] - together.interval[0] > 1.3 * (alone.interval[1] - alone.interval[0])
    assert calibrate(sure, right, clusters=np.zeros(240, dtype=np.int64)).interval is None


@pytest.mark.slow
def test_the_interval_holds_the_truth() -> None:
    """A model that is 10 points too sure everywhere, and one that is calibrated; benchmarks/calibration.py has more."""
    for lacking in (0.0, 0.1):
        held = 0
        for seed in range(200):
            rng = np.random.default_rng(seed)
            sure = rng.uniform(0.3, 1, 200)
            interval = calibrate(sure, rng.random(200) < sure - lacking).interval
            assert interval is not None
            held += interval[0] <= lacking <= interval[1]
        assert held >= 183  # of 200 at 95 %, fewer has the chance 0.02
