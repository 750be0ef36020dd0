"""The figures against votes, from records, by hand; what is stored can be read again."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from coabench.base.schema import At, read_fields
from coabench.errors import UserError
from coabench.metrics.stored import StoredMetrics
from coabench.metrics.summary import summarise

LABELS = {"space": "three", "names": ["Anger", "Fear", "Sadness"], "pairs": {}, "basic": [], "neutral": None}


def record(target: str, prediction: str | None, votes: dict[str, float] | None, **more: Any) -> dict[str, Any]:
    status = "invalid" if prediction is None else "ok"
    made = {"id": "x", "target": target, "prediction": prediction, "status": status, "reason": None, "turns": []}
    return made | ({} if votes is None else {"votes": votes}) | more


def scored(**probabilities: float) -> dict[str, Any]:
    scores = {name: math.log(p) for name, p in probabilities.items()}
    return {"turns": [{"name": "answer", "label": max(scores, key=lambda name: scores[name]), "scores": scores}]}


RECORDS = [
    record("Anger", "Anger", {"Anger": 9, "Fear": 1}, **scored(Anger=0.8, Fear=0.1, Sadness=0.1)),
    record("Anger", "Fear", {"Anger": 6, "Fear": 4, "Sadness": 0}, **scored(Anger=0.3, Fear=0.6, Sadness=0.1)),
    record("Fear", None, {"Fear": 2}),
    record("Fear", "Fear", {"Fear": 1}),  # one annotator agrees with nobody
    record("Sadness", "Sadness", None),  # none is known
    record("Sadness", "Sadness", {"Sadness": 0}),
]


def figures(records: list[dict[str, Any]]) -> Any:
    metrics = summarise(records, LABELS, "abc")
    json.dumps(metrics, allow_nan=False)
    read_fields(StoredMetrics, metrics | {"plugins": {}}, At("metrics"))
    return metrics["votes"]


def test_votes_for_a_label_of_probability_0_make_the_cross_entropy_infinite() -> None:
    certain = scored(Anger=1, Fear=math.exp(-700), Sadness=math.exp(-700))
    certain["turns"][0]["scores"] |= {"Fear": -1e9, "Sadness": -1e9}
    got = figures([record("Anger", "Anger", {"Anger": 9, "Fear": 1}, **certain), *RECORDS])
    assert got["cross_entropy"] == {"n": 3, "value": None, "interval": None}
    assert got["entropy"]["value"] > 0
    got = figures([record("Anger", "Anger", {"Anger": 10}, **certain), *RECORDS])
    assert got["cross_entropy"]["value"] == pytest.approx(figures(RECORDS)["cross_entropy"]["value"] * 2 / 3)


def test_figures_by_hand() -> None:
    got = figures(RECORDS)
    assert (got["samples"], got["annotations"]) == (4, 23)
    expected = {
        "accuracy": (4, 2 / 4),
        "expected_accuracy": (4, (0.9 + 0.4 + 0 + 1) / 4),
        "ceiling": (4, (0.9 + 0.6 + 1 + 1) / 4),
        "annotator": (3, (72 / 90 + (30 + 12) / 90 + 1) / 3),
        "cross_entropy": (2, -(0.9 * math.log(0.8) + 0.1 * math.log(0.1)
                               + 0.6 * math.log(0.3) + 0.4 * math.log(0.6)) / 2),
        "entropy": (2, -(0.9 * math.log(0.9) + 0.1 * math.log(0.1) + 0.6 * math.log(0.6) + 0.4 * math.log(0.4)) / 2),
    }  # fmt: skip
    for name, (n, value) in expected.items():
        low, high = got[name]["interval"]
        assert (got[name]["n"], got[name]["value"]) == (n, pytest.approx(value)), name
        assert low < value < high, name
    assert got["alpha"]["n"] == 3
    assert got["jensen_shannon"]["n"] == 2


def test_without_votes_there_are_none() -> None:
    assert figures(RECORDS[4:]) is None


def test_without_scores_and_with_fractions_what_needs_more_is_none() -> None:
    got = figures([record("Fear", "Fear", {"Fear": 0.75, "Anger": 0.25})])
    assert got["expected_accuracy"]["value"] == 0.75
    assert [got[name] for name in ("annotator", "alpha", "cross_entropy", "entropy", "jensen_shannon")] == [None] * 5


def test_annotators_who_all_say_the_same_have_no_alpha() -> None:
    got = figures([record("Fear", "Fear", {"Fear": 10})] * 3)
    assert got["alpha"] == {"n": 3, "value": None, "interval": None}
    assert got["ceiling"]["value"] == got["annotator"]["value"] == 1


def test_images_of_one_person_count_together() -> None:
    records = [
        record("Fear", "Fear" if i % 3 else "Anger", {"Fear": 8, "Anger": 2}, attributes={"subject": i // 5})
        for i in range(60)
    ]
    records = [one | {"prediction": "Anger" if i // 5 % 2 else "Fear"} for i, one in enumerate(records)]
    together = figures(records)["expected_accuracy"]
    alone = figures([one | {"attributes": {}} for one in records])["expected_accuracy"]
    assert together["value"] == alone["value"]
    assert together["interval"][1] - together["interval"][0] > 1.9 * (alone["interval"][1] - alone["interval"][0])


def test_votes_for_no_label_are_refused() -> None:
    with pytest.raises(UserError, match="'Joy' is no label"):
        figures([record("Fear", "Fear", {"Joy": 2})])
