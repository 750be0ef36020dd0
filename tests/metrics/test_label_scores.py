"""What a record says of all labels: from scores, from a strategy's own, from a ranked answer; top-2 accuracy."""

from __future__ import annotations

import math
from typing import Any

import pytest

from coabench.metrics.distributions import distribution_of
from coabench.metrics.label_scores import log_probabilities, second_choice
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import wilson_interval
from coabench.metrics.top_two import TopTwo

NAMES = ["Anger", "Fear", "Sadness"]


def record(prediction: str | None, scores: dict[str, float] | None = None, **more: Any) -> dict[str, Any]:
    status = "invalid" if prediction is None else "ok"
    turns = [{"name": "answer", "label": prediction, "scores": scores}]
    return {
        "id": "x",
        "target": "Fear",
        "prediction": prediction,
        "status": status,
        "reason": None,
        "turns": turns,
    } | more


SCORES = {"Anger": math.log(0.2), "Fear": math.log(0.5), "Sadness": math.log(0.1), "Neutral": math.log(0.2)}
RANK = {"rank": ["Fear", "Sadness", "Anger"]}


@pytest.mark.parametrize(
    ("made", "probabilities", "second"),
    [
        (record("Fear", SCORES), [0.2, 0.5, 0.1], "Anger"),
        (record("Fear", {name: score - 7 for name, score in SCORES.items()}), [0.2, 0.5, 0.1], "Anger"),
        (record("Anger", SCORES), None, None),  # not what the prediction was made by
        (record(None, SCORES), None, None),
        (record("Fear", SCORES, status="error"), None, None),
        (record("Fear", {"Fear": 0.0, "Anger": -1.0}), None, None),  # not of all labels
        (record("Fear", None), None, None),
        (record("Fear", SCORES, turns=[]), None, None),
        (record("Fear", SCORES, turns=record("Fear", SCORES)["turns"] * 2), None, None),  # which of them?
        (record("Fear", SCORES, details={"agreement": 0.6}), None, None),  # the strategy concluded otherwise
        (record("Fear", None, details={"log_probabilities": SCORES}), [0.2, 0.5, 0.1], "Anger"),
        (record("Fear", None, details={"log_probabilities": dict.fromkeys(NAMES, 900.0)}), None, None),
        (record("Fear", None, details={"log_probabilities": "high"}), None, None),
        (record("Fear", None, details=RANK), None, "Sadness"),
        (record("Anger", None, details=RANK), None, None),
        (record("Fear", None, details={"rank": ["Fear", "Joy"]}), None, None),
        (record("Fear", None, details={"rank": ["Fear"]}), None, None),
        (record("Fear", {"Anger": -1.0, "Fear": -1.0, "Sadness": -1.0}), [1 / 3] * 3, "Anger"),  # ties: as listed
    ],
)
def test_what_a_record_says(made: dict[str, Any], probabilities: list[float] | None, second: str | None) -> None:
    found = log_probabilities(made, NAMES, distribution_of(made, NAMES))
    assert (None if found is None else [math.exp(p) for p in found]) == (probabilities and pytest.approx(probabilities))
    assert second_choice(made, NAMES, found) == second


def test_top_2_is_over_all_samples() -> None:
    made = [
        record("Fear", SCORES),
        record("Anger", {"Anger": -0.1, "Fear": -1.0, "Sadness": -2.0}),  # the second choice is right
        record("Sadness", {"Anger": -1.0, "Fear": -2.0, "Sadness": -0.1}),
        record("Fear", None),  # no second choice, and the first is right
        record(None, SCORES),
        record(None, None, status="error"),
    ]
    top_two = TopTwo()
    for one in made:
        known = log_probabilities(one, NAMES, distribution_of(one, NAMES))
        top_two.add(one, second_choice(one, NAMES, known))
    figure = top_two.figure(Predicted.of(made, NAMES))
    assert figure == {"n": 6, "ranked": 3, "value": 0.5, "interval": pytest.approx(list(wilson_interval(3, 6)))}


def test_a_run_without_second_choices_has_none() -> None:
    top_two = TopTwo()
    top_two.add(record("Fear"), None)
    assert top_two.figure(Predicted.of([record("Fear")], NAMES)) is None
