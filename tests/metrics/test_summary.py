"""``metrics.json``: the metrics of a run, put together."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from coabench.errors import UserError
from coabench.metrics.summary import summarise

PAIRS = {"Happily Surprised": ["Happiness", "Surprise"], "Sadly Angry": ["Sadness", "Anger"]}
LABELS = {"space": "two", "names": list(PAIRS), "pairs": PAIRS, "basic": [], "neutral": "Neutral"}


def record(target: str, prediction: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    status = "ok" if prediction else "invalid"
    return {
        "id": "x",
        "target": target,
        "prediction": prediction,
        "status": status,
        "reason": reason,
        "turns": [],
    } | more


def test_summary_counts_everything() -> None:
    happy, sad = PAIRS
    records = [
        record(happy, happy),
        record(happy, sad),
        record(happy, None, "repeated"),
        record(sad, sad, status="error", reason="unreadable"),  # an error is wrong, whatever stands beside it
    ]
    got = summarise(records, LABELS, "abc")
    assert (got["samples"], got["invalid"], got["errors"], got["invalid_rate"]) == (4, 1, 1, 0.25)
    assert got["reasons"] == {"repeated": 1}
    assert got["uar"] == pytest.approx(1 / 6)
    assert got["war"] == pytest.approx(1 / 4)
    assert got["per_class"][happy]["hits"] == 1
    assert got["per_class"][happy]["n"] == 3
    assert got["confusion"] == {"labels": [happy, sad, "INVALID"], "rows": [[1, 1, 1], [0, 0, 1]]}
    assert got["log_sha256"] == "abc"
    assert got["chain"] is None


def test_summary_of_a_class_without_samples() -> None:
    got = summarise([record("Sadly Angry", "Sadly Angry")], LABELS)
    assert got["per_class"]["Happily Surprised"] == {"n": 0, "hits": 0, "recall": None, "interval": None}
    assert got["uar"] == 1


def test_summary_is_json_and_the_same_every_time() -> None:
    rng = random.Random(0)
    records = [record(rng.choice(list(PAIRS)), rng.choice([*PAIRS, None])) for _ in range(80)]
    one, two = (json.dumps(summarise(records, LABELS), allow_nan=False) for _ in range(2))
    assert one == two
    got = json.loads(one)
    for metric in ("uar", "war", "macro_f1"):
        low, high = got[f"{metric}_interval"]
        assert 0 < low < got[metric] < high < 1


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([], "no records"),
        ([record("Contempt", None)], "'Contempt' is no label"),
        ([record("Sadly Angry", "Joy")], "'Joy' is no label"),
        ([record(None, "Sadly Angry")], "no target"),  # type: ignore[arg-type]
    ],
)
def test_summary_refuses_records_that_do_not_fit(records: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        summarise(records, LABELS)


def test_images_of_one_person_are_resampled_together() -> None:
    """Forty persons with five images each, all right or all wrong: an interval as of forty samples, not two hundred."""
    records = [
        record("Sadly Angry", "Sadly Angry" if person % 3 else None, attributes={"subject": person})
        for person in range(40)
        for _ in range(5)
    ]
    together = summarise(records, LABELS)
    alone = summarise([{**r, "attributes": {}} for r in records], LABELS)
    assert (together["bootstrap"]["subjects"], alone["bootstrap"]["subjects"]) == (40, None)
    assert together["uar"] == alone["uar"]
    for metric in ("uar_interval", "war_interval"):
        widths = [high - low for low, high in (together[metric], alone[metric])]
        assert widths[0] / widths[1] == pytest.approx(5**0.5, rel=0.2)
