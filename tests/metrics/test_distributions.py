"""The probability of each label, and the proper scores of that, against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss

from coabench.metrics.confidences import Confidences
from coabench.metrics.distributions import distribution_of, mean_value_interval, proper_scores

NAMES = ["a", "b", "c"]


def scored(target: str, *p: float, **more: Any) -> dict[str, Any]:
    """A record of one question, with these probabilities; the best is the prediction."""
    best = NAMES[int(np.argmax(p))]
    turn = {"label": best, "scores": {name: math.log(x) if x else -1e9 for name, x in zip(NAMES, p, strict=True)}}
    return {"id": "x", "target": target, "prediction": best, "status": "ok", "turns": [turn]} | more


def figures(records: list[dict[str, Any]]) -> dict[str, Any]:
    confidences = Confidences(NAMES)
    for record in records:
        confidences.add(record)
    assert confidences.figures is not None
    return confidences.figures.to_json()


def test_the_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet([0.6, 0.8, 1.1], size=200)
    targets = rng.choice(NAMES, size=200)
    scores = figures([scored(target, *row) for target, row in zip(targets, p, strict=True)])["scores"]
    assert scores["n"] == 200
    assert scores["brier"] == pytest.approx(brier_score_loss(targets, p, labels=NAMES), abs=1e-12)
    assert scores["nll"] == pytest.approx(log_loss(targets, p, labels=NAMES), abs=1e-9)
    each = -np.log(p[np.arange(200), [NAMES.index(target) for target in targets]])
    low, high = stats.t.interval(0.95, 199, each.mean(), stats.sem(each))
    assert scores["nll_interval"] == pytest.approx((low, high))


def test_scores_need_not_sum_to_1() -> None:
    record = scored("a", 0.2, 0.1, 0.1)
    assert distribution_of(record, NAMES) == pytest.approx(
        {"a": math.log(0.5), "b": math.log(0.25), "c": math.log(0.25)}
    )


def test_what_goes_to_no_label_is_an_outcome() -> None:
    """0.5 + 0.2 + 0.1 to the labels, 0.2 to none: Brier 0.25 + 0.04 + 0.01 + 0.04."""
    stated = {"a": math.log(0.5), "b": math.log(0.2), "c": math.log(0.1)}
    record = scored("a", 1 / 3, 1 / 3, 1 / 3, details={"confidence": 0.5, "log_probabilities": stated})
    found = distribution_of(record, NAMES)
    assert found is not None
    assert math.exp(found[None]) == pytest.approx(0.2)
    assert figures([record])["scores"]["brier"] == pytest.approx(0.34)


@pytest.mark.parametrize(
    "record",
    [
        scored("a", 0.5, 0.3, 0.2, details={"agreement": 1.0}),
        scored("a", 0.5, 0.3, 0.2, details={"confidence": 0.5, "log_probabilities": {"a": -1.0}}),
        scored("a", 0.5, 0.3, 0.2, details={"confidence": 0.5, "log_probabilities": {"a": 0.0, "b": 0.0, "c": 0.0}}),
        scored("a", 0.5, 0.3, 0.2, details={"confidence": 0.5, "log_probabilities": {"a": "x", "b": -1.0, "c": -2.0}}),
        scored("a", 0.5, 0.3, 0.2, prediction="b"),
        {**scored("a", 0.5, 0.3, 0.2), "turns": scored("a", 0.5, 0.3, 0.2)["turns"] * 2},
        scored("a", 0.5, 0.3, 0.2, turns=[{"label": "a", "scores": {"a": -0.1, "b": -3.0}}]),
        scored("a", 0.5, 0.3, 0.2, turns=[]),
    ],
)
def test_where_the_probability_of_each_label_is_not_known(record: dict[str, Any]) -> None:
    assert distribution_of(record, NAMES) is None


def test_a_true_label_of_probability_0_makes_no_number() -> None:
    scores = figures([scored("b", 1.0, 0.0, 0.0), scored("a", 0.9, 0.05, 0.05)])["scores"]
    assert (scores["nll"], scores["nll_interval"], scores["impossible"]) == (None, None, 1)
    assert scores["brier"] == pytest.approx((2 + 0.01 + 2 * 0.0025) / 2)


def test_over_persons_the_interval_is_that_of_their_means() -> None:
    """Persons with equally many images: the mean of their means, by Student's t."""
    means = np.array([0.2, 0.5, 0.4, 0.9])
    low, high = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    assert mean_value_interval(np.repeat(means, 5), np.repeat(np.arange(4), 5)) == pytest.approx((max(0, low), high))
    assert mean_value_interval(np.array([0.1, 0.2]), np.array([0, 0])) is None
    assert mean_value_interval(np.full(9, 0.1), None) is None
    assert proper_scores(np.array([]), np.array([])) is None
