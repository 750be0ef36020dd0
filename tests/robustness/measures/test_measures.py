"""Planted models: what each measure is to find is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from coabench.metrics.predictions import Predicted
from coabench.robustness.measures.effect import effect
from coabench.robustness.measures.fragility import recall_changes
from coabench.robustness.measures.orders import Asked, positions, worst_case
from coabench.robustness.measures.position_test import position_p
from coabench.robustness.measures.robustness import relative_robustness
from coabench.robustness.measures.severity import curve

NAMES = tuple("ABCDEFG")
N = 20 * len(NAMES)
TARGETS = np.repeat(np.arange(len(NAMES)), 20)
IDS = [str(i) for i in range(N)]
ROTATIONS = [NAMES[i:] + NAMES[:i] for i in range(len(NAMES))]


def predicted(predictions: Sequence[int], clusters: Sequence[int] | None = None) -> Predicted:
    return Predicted(NAMES, TARGETS, np.array(predictions), None if clusters is None else np.array(clusters))


RIGHT = predicted(TARGETS)


def answering(rotations: Sequence[tuple[str, ...]], label: object) -> list[dict[str, Asked]]:
    """Return the first questions of a model: *label* returns what it answers to a sample and a list of options."""
    return [{id: Asked(options, label(i, options)) for i, id in enumerate(IDS)} for options in rotations]  # type: ignore[operator]


def test_a_model_that_always_takes_the_first_option() -> None:
    runs = [predicted([NAMES.index(options[0])] * N) for options in ROTATIONS]
    worst = worst_case(runs[0], runs[1:])
    assert (worst.uar.value, worst.orders) == (0.0, 7)  # chance of a right answer in one order: 1/7
    assert worst.change == pytest.approx(-1 / 7)
    places = positions(answering(ROTATIONS, lambda _, options: options[0]), IDS, None)
    assert [place.chosen.value for place in places] == [1.0, 0, 0, 0, 0, 0, 0]
    assert [place.expected for place in places] == [pytest.approx(1 / 7)] * 7
    assert places[0].excess.value == pytest.approx(6 / 7)
    p = position_p(answering(ROTATIONS, lambda _, options: options[0]), IDS, np.arange(N))
    assert p is not None
    assert p < 0.001
    low, high = places[0].chosen[1:]
    assert low is not None
    assert high is not None
    assert low > 0.96
    assert high == 1


def test_a_model_that_reads_the_labels_alone_has_no_position() -> None:
    """Whatever the labels are that it prefers, and in whatever few orders."""
    for orders in (ROTATIONS, ROTATIONS[:3], [NAMES, NAMES[::-1]]):
        places = positions(answering(orders, lambda i, _: NAMES[i % 3]), IDS, None)
        assert [place.excess.value for place in places] == [pytest.approx(0, abs=1e-12)] * 7
        assert sum(place.chosen.value or 0 for place in places) == pytest.approx(1)


def test_a_model_that_takes_the_first_one_time_in_three() -> None:
    draw = np.random.default_rng(0)
    took = iter(draw.random(N * 7) < 1 / 3)
    places = positions(answering(ROTATIONS, lambda i, options: options[0] if next(took) else NAMES[i % 7]), IDS, None)
    low, high = places[0].excess[1:]
    assert low is not None
    assert high is not None
    assert low > 0.15
    assert low < 1 / 3 * 6 / 7 < high + 0.08  # a sample's own choices make it expect a little more of the first place
    assert places[3].excess[1] is not None
    assert places[3].excess[1] < 0


def test_right_under_every_order_counts_alone() -> None:
    half = predicted(np.where(np.arange(N) % 2, TARGETS, 7))
    other = predicted(np.where(np.arange(N) % 4 < 3, TARGETS, (TARGETS + 1) % 7))
    assert worst_case(RIGHT, [half, other]).uar.value == pytest.approx(0.25)


def test_flips_are_counted_both_ways() -> None:
    clean = predicted(np.where(np.arange(N) < 70, TARGETS, 7))
    condition = predicted(np.where((np.arange(N) >= 56) & (np.arange(N) < 98), TARGETS, 7))
    found = effect(clean, condition)
    assert (found.harmed.value, found.helped.value) == (56 / N, 28 / N)
    assert found.flips.value == 84 / N
    assert found.invalid.value == 98 / N
    assert found.change.value == pytest.approx(found.uar.value - 0.5)
    assert found.change.low < found.change.value < found.change.high


def test_where_half_of_the_gain_is_lost_is_found() -> None:
    """Gains of 1, 0.9, 0.7, 0.3: half is lost midway from the second severity to the third."""
    chance = 1 / 7

    def at(gain: float) -> Predicted:
        right = chance + gain * (1 - chance)  # of each label's 20 samples, so many
        kept = np.arange(N) % 20 < round(20 * right)
        return predicted(np.where(kept, TARGETS, 7))

    found = curve("blur", RIGHT, (1, 2, 3), [at(gain) for gain in (0.9, 0.7, 0.3)])
    gains = [(float(estimate.value or 0) - chance) / (1 - chance) for estimate in found.uars]
    assert found.half is not None
    expected = 2 + (gains[2] - 0.5) / (gains[2] - gains[3])
    assert found.half.level == pytest.approx(expected)
    assert expected == pytest.approx(2.5, abs=0.06)
    assert found.half.low is not None
    assert found.half.high is not None
    assert 2 < found.half.low < expected < found.half.high <= 3
    assert found.kept.value == pytest.approx(np.mean(gains[1:]))
    assert found.kept.low is not None
    assert found.kept.low < found.kept.value
    level = curve("shift", RIGHT, (1, 2), [RIGHT, at(0.9)]).half
    assert level is not None
    assert (level.level, level.low, level.high) == (None, None, None)
    assert curve("shift", predicted([7] * N), (1,), [RIGHT]).half is None


def test_persons_widen_the_intervals() -> None:
    """Ten pictures of a person that stand and fall together are one fact."""
    persons = (np.arange(N) // 10).tolist()
    lost = np.where(np.arange(N) // 10 % 2, TARGETS, 7)
    pairs = [(predicted(TARGETS, each), predicted(lost, each)) for each in (None, persons)]
    alone, together = (effect(*pair) for pair in pairs)
    assert together.change.high - together.change.low > 1.5 * (alone.change.high - alone.change.low)
    widths = []
    for pair in pairs:
        low, high = curve("blur", pair[0], (1,), [pair[1]]).kept[1:]
        assert low is not None
        assert high is not None
        widths.append(high - low)
    assert widths[1] > 1.5 * widths[0]


def test_the_label_that_breaks_first() -> None:
    broken = replace(RIGHT, predictions=np.where(TARGETS == 2, 7, TARGETS))
    changes = recall_changes(RIGHT, {"blur": [broken, RIGHT]})["blur"]
    assert changes.tolist() == [0, 0, -0.5, 0, 0, 0, 0]


def test_answers_that_ignore_the_order_pass_the_test() -> None:
    draw = np.random.default_rng(1)
    guesses = answering(ROTATIONS, lambda _, options: options[draw.integers(7)])
    labels = answering(ROTATIONS[:2], lambda i, _: NAMES[i % 3])
    found = [position_p(orders, IDS, np.arange(N)) for orders in (guesses, labels)]
    assert found[0] is not None
    assert found[0] > 0.05
    assert found[1] == 1


def test_images_of_two_persons_prove_no_position_bias() -> None:
    first = answering(ROTATIONS[:2], lambda _, options: options[0])
    p = position_p(first, IDS, np.arange(N) % 2)
    assert p is not None
    assert p > 0.2
    assert position_p(first[:1], IDS, np.arange(N)) is None
    assert position_p([{}, {}], IDS, np.arange(N)) is None


def test_every_family_counts_the_same() -> None:
    """One family of one condition keeps all; one of two keeps 0.3 of each label's recall."""
    lost = predicted(np.where(np.arange(N) % 20 < 6, TARGETS, 7))
    found = relative_robustness(RIGHT, {"mirror": [RIGHT], "blur": [lost, lost]})
    assert found.value == pytest.approx((1 + (0.3 - 1 / 7) / (6 / 7)) / 2)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert relative_robustness(RIGHT, {"mirror": [RIGHT]}) == (1, None, None)
    assert relative_robustness(predicted([0] * N), {"mirror": [RIGHT]}) == (None, None, None)
