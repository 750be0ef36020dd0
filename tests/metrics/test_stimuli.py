"""Curves, thresholds, matched pictures and blends: planted models are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coabench.metrics.predictions import Predicted
from coabench.metrics.psychometric import threshold
from coabench.metrics.statistics import mcnemar
from coabench.metrics.stimuli import Stimuli, StimulusFigures
from coabench.metrics.summary import summarise

NAMES = [f"label {i}" for i in range(11)]


def answered(i: int, right: bool, **attributes: Any) -> dict[str, Any]:
    prediction = NAMES[0] if right else NAMES[1]
    return {"id": i, "target": NAMES[0], "prediction": prediction, "status": "ok", "reason": None, "turns": [],
            "attributes": attributes}  # fmt: skip


def figures(records: list[dict[str, Any]]) -> StimulusFigures:
    stimuli = Stimuli()
    for record in records:
        stimuli.add(record)
    return stimuli.figures(Predicted.of(records, NAMES))


def observer(persons: int, middle: float, rate: float, lapse: float = 0.0) -> list[dict[str, Any]]:
    """Return the answers of a model that guesses, and sees what is stronger than *middle*."""
    rng = np.random.default_rng(1)
    records = []
    for i, (person, level) in enumerate((p, step / 8) for p in range(persons) for step in range(9) for _ in range(11)):
        sees = 1 / (1 + np.exp(-rate * (level - middle)))
        right = rng.random() < 1 / 11 + (1 - 1 / 11 - lapse) * sees
        records.append(answered(i, bool(right), intensity=level, subject=f"person {person}"))
    return records


@pytest.mark.parametrize("persons", [20, 40])  # jackknife, bootstrap
def test_a_planted_threshold_is_found(persons: int) -> None:
    found = figures(observer(persons, 0.5, 20)).thresholds["intensity"]
    assert found.curve.threshold == pytest.approx(0.5, abs=0.03)
    assert found.threshold is not None
    assert found.threshold[0] < 0.5 < found.threshold[1]
    assert found.threshold[1] - found.threshold[0] < 0.06
    assert found.curve.slope == pytest.approx(20 / 4 * 10 / 11, rel=0.4)
    assert (found.units, found.curve.guess) == (persons, 1 / 11)
    assert found.curve.at(found.curve.threshold) == pytest.approx(6 / 11)


def test_intervals_of_thresholds_cover_as_often_as_they_say() -> None:
    x, who = np.tile(np.repeat(np.arange(9) / 8, 11), 6), np.repeat(np.arange(6), 99)
    p = 1 / 11 + 10 / 11 / (1 + np.exp(-20 * (x - 0.5)))
    covered = 0
    for seed in range(60):
        right = (np.random.default_rng(seed).random(len(x)) < p).astype(np.float64)
        found = threshold(x, right, who, 11).threshold
        assert found is not None
        covered += found[0] <= 0.5 <= found[1]
    assert covered >= 52  # binomial, of 60 at 95 %: fewer in 0.3 % of all cases


def test_lapses_are_not_taken_for_a_later_threshold() -> None:
    found = figures(observer(25, 0.4, 25, lapse=0.2)).thresholds["intensity"]
    assert found.curve.lapse == pytest.approx(0.2, abs=0.03)
    assert found.curve.alpha == pytest.approx(0.4, abs=0.03)


def test_who_guesses_reaches_no_threshold() -> None:
    found = figures(observer(10, 9.0, 20))
    flat = found.thresholds["intensity"]
    assert (flat.curve.threshold, flat.curve.slope, flat.threshold) == (None, None, None)
    assert found.to_json()["thresholds"]["intensity"]["threshold"] is None


def test_curves_have_levels_or_bins_and_persons_as_clusters() -> None:
    few = figures([answered(i, i % 3 > 0, yaw=30 * (i % 3 - 1)) for i in range(90)]).curves["yaw"]
    assert [(p.x, p.n, p.accuracy) for p in few] == [(-30, 30, 0), (0, 30, 1), (30, 30, 1)]
    many = figures([answered(i, i < 50, age=i / 7) for i in range(100)]).curves["age"]
    assert len(many) == 8
    assert sum(p.n for p in many) == 100
    assert (many[0].accuracy, many[-1].accuracy) == (1, 0)
    alone = figures([answered(i, i % 2 > 0, yaw=i % 3) for i in range(60)]).curves["yaw"]
    shared = figures([answered(i, i % 2 > 0, yaw=i % 3, subject=str(i % 2)) for i in range(60)]).curves["yaw"]
    assert shared[0].interval[1] - shared[0].interval[0] > alone[0].interval[1] - alone[0].interval[0]


@pytest.mark.parametrize("value", [True, "3", None, 10**400, [1]])
def test_what_is_no_number_makes_no_curve(value: Any) -> None:
    assert not figures([answered(i, True, odd=value) for i in range(9)])
    assert not figures([answered(i, True, odd=i % 2) for i in range(9)])


def test_runs_without_numbers_keep_their_metrics() -> None:
    labels = {"names": NAMES}
    plain = summarise([answered(i, True, gender="x") for i in range(9)], labels)
    assert "stimuli" not in plain
    assert "stimuli" in summarise([answered(i, True, yaw=i) for i in range(9)], labels)


def skins(effect: float, n: int = 400, persons: int | None = None) -> list[dict[str, Any]]:
    """Return the answers of a model that is right in 80 % of all cases, and with dark skin by *effect* less often."""
    rng = np.random.default_rng(3)
    records = []
    for stimulus in range(n):
        drawn = rng.random()
        for skin in ("light", "dark"):
            right = drawn < 0.8 - (effect if skin == "dark" else 0)
            who = stimulus if persons is None else stimulus % persons
            known = {"subject": f"s{who}", "stimulus": f"x{stimulus}", "varied": "skin", "skin": skin}
            records.append(answered(len(records), bool(right), **known))
    return records


@pytest.mark.parametrize("persons", [None, 25])
def test_a_planted_dependence_on_skin_is_recovered(persons: int | None) -> None:
    (found,) = figures(skins(0.1, persons=persons)).matched
    (contrast,) = found.contrasts
    assert (found.attribute, found.stimuli, contrast.first, contrast.second) == ("skin", 400, "light", "dark")
    assert contrast.difference.low < 0.1 < contrast.difference.high
    assert contrast.difference.low > 0
    assert contrast.p < 0.001
    assert contrast.only_second == 0
    assert contrast.difference.value == pytest.approx(contrast.only_first / 400)


def test_no_dependence_is_none() -> None:
    ((contrast,),) = (it.contrasts for it in figures(skins(0.0)).matched)
    assert (contrast.only_first, contrast.only_second, contrast.p, contrast.difference.value) == (0, 0, 1, 0)


def test_several_values_are_adjusted_and_incomplete_stimuli_left_out() -> None:
    records = []
    for stimulus in range(20):
        for hair, right in (("bald", stimulus < 8), ("short", True), ("long", True)):
            records.append(answered(0, right, stimulus=str(stimulus), varied="hair", hair=hair))
    records.append(answered(0, False, stimulus="more", varied="hair", hair="long"))
    (found,) = figures(records).matched
    assert found.stimuli == 20
    bald_short, bald_long, short_long = found.contrasts
    assert bald_short.exact == pytest.approx(mcnemar(0, 12))
    assert bald_short.p == pytest.approx(3 * bald_short.difference.p)
    assert (bald_long.only_second, short_long.p) == (12, 1)


def test_a_blend_begins_and_ends() -> None:
    records = [
        answered(0, 0.25 < step / 8 < 0.8, blend="Happiness + Surprise", share=step / 8)
        for step in range(9) for _ in range(5)
    ]  # fmt: skip
    (blend,) = figures(records).blends
    assert (blend.name, blend.compound, blend.begins, blend.ends) == ("Happiness + Surprise", NAMES[0], 0.375, 0.75)
    (never,) = figures([answered(0, False, blend="x", share=i / 8) for i in range(9)]).blends
    assert (never.begins, never.ends) == (None, None)
