"""Defects of metrics, planted, are named; a sound one has none."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.planted import assert_named

from coabench.errors import UserError
from coabench.registry.registrations import Registration
from coabench.testing.metrics import check


def sound(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> dict[str, Any]:
    right = [t for t, p in zip(targets, predictions, strict=True) if t == p]
    return {"right": len(right), "names": labels["names"], "first": (right or [None])[0], "pair": (1, 2)}


def crashes(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> float:
    return 1 / (len(set(targets)) - 1)  # of one class only


def needs_pairs(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> int:
    return sum(len(labels["pairs"][name]) for name in targets)


def joins(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> int:
    return len(" ".join(predictions))  # type: ignore[arg-type]


def not_a_number(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> float:
    return float("nan")


def array(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> Any:
    import numpy as np

    return {"matrix": np.zeros((2, 2))}


def numbers_as_keys(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> dict[int, int]:
    return {1: 2}


def sorts(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> int:
    targets.sort()
    return 1


def adds(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> int:
    labels["names"].append("INVALID")
    return 1


def rolls(targets: list[str], predictions: list[str | None], labels: dict[str, Any]) -> float:
    return random.random()


def margin(
    targets: list[str], predictions: list[str | None], labels: dict[str, Any], records: list[dict[str, Any]]
) -> float:
    found = [sorted(turn["scores"].values()) for record in records for turn in record["turns"] if turn["scores"]]
    if predictions == [None] * len(predictions):
        return 0.0
    if not found:
        raise UserError("this run has no scores", remedy="evaluate with --decode score")
    return sum(scores[-1] - scores[-2] for scores in found) / len(found)


def asks_and_crashes(targets: list[str], predictions: list[str | None], labels: Any, records: Any) -> float:
    return max(sum(record["votes"].values()) for record in records) / len(targets)


def clears(targets: list[str], predictions: list[str | None], labels: Any, *, records: Any) -> int:
    number = sum(len(record["attributes"]) for record in records)
    for record in records:
        record.clear()
    return number


def needs_the_impossible(targets: list[str], predictions: list[str | None], labels: Any, records: Any) -> float:
    raise UserError("this run has no gaze")


PLANTED: list[tuple[Any, str, str]] = [
    (crashes, "fails", "ZeroDivisionError: division by zero (test_metrics.py, line "),
    (needs_pairs, "fails", "test_metrics.py"),
    (joins, "fails-on-invalid", "TypeError"),
    (not_a_number, "not-json", "nan"),
    (array, "not-json", "array"),
    (numbers_as_keys, "not-json", "{1: 2}"),
    (rolls, "unsteady-result", "0."),
    (asks_and_crashes, "fails-on-missing", "KeyError: 'votes'"),
    (Registration("gone", "absent_library:metric", "p", "1"), "not-importable", "absent_library"),
]


@pytest.mark.parametrize(("planted", "name", "seen"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_defect_is_named(planted: Any, name: str, seen: str) -> None:
    assert_named(check(planted), name, seen)


@pytest.mark.parametrize("metric", [sound, sorts, adds, margin, clears])  # what they change is a copy
def test_a_sound_metric_has_no_finding(metric: Any) -> None:
    assert [str(finding) for finding in check(metric)] == []


def test_one_that_leaves_out_every_run_was_not_checked() -> None:
    [finding] = check(needs_the_impossible)
    assert finding.defect.name == "unchecked"
    assert "it left out every run: this run has no gaze" in str(finding)
