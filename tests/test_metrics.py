"""The figures of a run."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from coabench.errors import UserError
from coabench.metrics import confusion_matrix, encode, macro_f1, recalls, summarise, uar, war

PAIRS = {"Happily Surprised": ["Happiness", "Surprise"], "Sadly Angry": ["Sadness", "Anger"]}
LABELS = {"space": "two", "names": list(PAIRS), "pairs": PAIRS, "basic": [], "neutral": "Neutral"}
K = 5


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


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K)), min_size=1, max_size=60))
def test_figures_equal_scikit_learn(samples: list[tuple[int, int]]) -> None:
    """Absent classes and INVALID (here K) included. To scikit-learn INVALID is a prediction like any other."""
    true, predicted = np.array(samples).T
    confusion = confusion_matrix(true, predicted, K)
    present = np.unique(true)
    expected = sklearn.recall_score(true, predicted, labels=present, average=None, zero_division=0)
    assert recalls(confusion)[present] == pytest.approx(expected)
    assert np.isnan(np.delete(recalls(confusion), present)).all()
    assert uar(confusion) == pytest.approx(expected.mean())
    assert war(confusion) == pytest.approx(sklearn.accuracy_score(true, predicted))
    f1 = sklearn.f1_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(f1)
    assert (confusion == sklearn.confusion_matrix(true, predicted, labels=range(K + 1))[:K]).all()


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_uar_is_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        true, predicted = rng.integers(0, 4, 50), rng.integers(0, 6, 50)  # class 4 absent, 5 is INVALID
        expected = sklearn.balanced_accuracy_score(true, predicted)
        assert uar(confusion_matrix(true, predicted, 5)) == pytest.approx(expected)


def test_invalid_is_wrong_but_no_class() -> None:
    """Three of four right; the macro over an extra INVALID class would be 2/3 and 4/9."""
    confusion = confusion_matrix([0, 0, 1, 1], [0, 0, 1, 2], 2)
    assert uar(confusion) == pytest.approx(0.75)
    assert war(confusion) == pytest.approx(0.75)
    assert macro_f1(confusion) == pytest.approx((1 + 2 / 3) / 2)


def test_figures_take_a_stack() -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 5, (7, 3, 4))
    for figure in (uar, war, macro_f1):
        assert figure(stack) == pytest.approx([float(figure(one)) for one in stack])


def test_no_samples_at_all_have_no_figure() -> None:
    nothing = np.zeros((3, 4), dtype=np.int64)
    assert all(np.isnan(figure(nothing)) for figure in (uar, war, macro_f1))


def test_encode() -> None:
    assert encode(["b", None, "a"], ["a", "b"]).tolist() == [1, 2, 0]
    with pytest.raises(UserError, match="'c' is no label"):
        encode(["c"], ["a", "b"])


@pytest.mark.parametrize(("true", "predicted"), [([2], [0]), ([-1], [0]), ([0], [3]), ([0], [0, 1]), ([[0]], [[0]])])
def test_confusion_matrix_refuses_what_it_cannot_count(true: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match=r"out of range|vectors"):
        confusion_matrix(true, predicted, 2)


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


def turns(*answers: str | None) -> list[dict[str, Any]]:
    return [{"name": name, "label": label} for name, label in zip(("primary", "secondary"), answers, strict=False)]


def test_chain_tells_where_it_breaks() -> None:
    target = "Happily Surprised"
    records = [
        record(target, target, turns=turns("Surprise", "Happiness")),
        record(target, None, "repeated", turns=turns("Happiness", "Happiness")),
        record(target, None, "no-class", turns=turns("Happiness", "Fear")),
        record(target, "Sadly Angry", turns=turns("Anger", "Sadness")),
        record(target, None, "neutral-first", turns=turns("Neutral", "Anger")),
        record(target, None, "neutral-second", turns=turns("Surprise", "Neutral")),
        record(target, None, "unparsed-primary", turns=turns(None)),
        record(target, None, "unparsed-secondary", turns=turns("Happiness", None)),
        record(target, None, "unreadable", status="error"),  # never asked
    ]
    chain = summarise(records, LABELS)["chain"]
    assert chain["samples"] == 8
    assert chain["primary_in_pair"] == pytest.approx(5 / 8)
    assert chain["secondary_given_right_primary"] == pytest.approx(1 / 5)
    counts = {key: chain[key] for key in ("repeated", "neutral_first", "neutral_second", "no_class", "unparsed")}
    assert counts == {"repeated": 1, "neutral_first": 1, "neutral_second": 1, "no_class": 1, "unparsed": 2}


def test_chain_without_a_right_primary() -> None:
    chain = summarise([record("Sadly Angry", None, "no-class", turns=turns("Fear", "Anger"))], LABELS)["chain"]
    assert chain["primary_in_pair"] == 0
    assert chain["secondary_given_right_primary"] is None


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
