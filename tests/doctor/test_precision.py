"""How far 8-bit arithmetic is from float32, as the doctor says it."""

from __future__ import annotations

import json

import pytest

from coabench.__main__ import main
from coabench.doctor.precision import compare_precision
from coabench.support.int8_dynamic import FAST
from coabench.support.placement import cpu_flags


def record(prediction: str, *turns: tuple[str, str, dict[str, float] | None]) -> dict[str, object]:
    asked = [{"prompt": prompt, "label": label, "scores": scores} for prompt, label, scores in turns]
    return {"prediction": prediction, "turns": asked}


def test_only_the_same_questions_are_compared() -> None:
    own = [record("A", ("first?", "a", {"a": -1.0, "b": -2.0}), ("after a?", "b", {"b": -9.0})), record("B")]
    whole = [record("A", ("first?", "b", {"a": -1.5, "b": -1.9}), ("after b?", "a", {"b": -1.0})), record("C")]
    found = compare_precision(own, whole)
    assert (found.samples, found.predictions, found.questions, found.labels) == (2, 1, 1, 0)
    assert (found.mean, found.largest) == (pytest.approx(0.3), pytest.approx(0.5))
    assert "the same prediction for 1 of 2 samples, the same label in 0 of 1 question that were" in found.verdict
    unscored = compare_precision([record("A", ("first?", "a", None))], [record("A", ("first?", "a", None))])
    assert (unscored.labels, unscored.mean) == (1, None)
    assert "log-probabilities" not in unscored.verdict


@pytest.mark.skipif(cpu_flags().isdisjoint(FAST), reason="the CPU multiplies no 8-bit integers")
def test_the_model_that_ships_in_integers(capsys: pytest.CaptureFixture[str]) -> None:
    words = "doctor --backbone tiny --dtype int8 --decode score --limit 4 --batch-size 2 --format json"
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dtype"], found["float32"]["samples"]) == ("int8", 4)
    assert 0 < found["float32"]["mean"] < 0.2
    assert found["score"] < 0.05
