"""The record of a sample: one line of a run's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coabench.base.vocabulary import ERROR
from coabench.dataset import Sample
from coabench.dialogue import Prediction, Task, Turn
from coabench.inference.engine import Outcome
from coabench.inference.loading import Loaded


def make_record(sample: Sample, loaded: Loaded, task: Task, outcome: Outcome, seconds: float | None) -> dict[str, Any]:
    """Return the record: everything that was asked and answered, JSON-serialisable (see docs/reference/formats.md).

    Args:
        loaded: the images; their error becomes the record's reason.
        outcome: what the engine returned, empty for a sample that could not be asked about.
        seconds: the sample's share of its batch's time; None where that means nothing.
    """
    prediction = outcome.prediction or Prediction(None, ERROR, loaded.error)
    record: dict[str, Any] = {
        "id": sample.id,
        "image": sample.image.name,
        "image_sha256": loaded.sha256,
        "target": sample.target,
        **describe_prediction(prediction),
        "turns": [describe_turn(turn) for turn in outcome.turns],
        "attributes": dict(sample.attributes),
        "seconds": None if seconds is None else round(seconds, 6),
    }
    if outcome.paths:
        record["paths"] = [describe_path(path) for path in outcome.paths]
    if sample.votes:
        record["votes"] = dict(sample.votes)
    if loaded.notes:
        record["image_notes"] = list(loaded.notes)
    if loaded.facts:
        record["preparation"] = dict(loaded.facts)
    if task.exemplars:
        record["exemplars"] = [exemplar.id for exemplar in task.exemplars]
    return record


def describe_prediction(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as a record has it; ``details`` only where there are some."""
    described = {"prediction": prediction.label, "status": prediction.status, "reason": prediction.reason}
    return {**described, "details": dict(prediction.details)} if prediction.details else described


def describe_path(path: Outcome) -> dict[str, Any]:
    """Return a sampled dialogue as a record has it: its conclusion, and what was answered; prompts are left out."""
    parts = ("name", "response", "label", "match", "prompt_tokens", "cached_tokens", "new_tokens")
    turns = [{part: described[part] for part in parts} for described in map(describe_turn, path.turns)]
    return {**describe_prediction(path.prediction or Prediction(None, ERROR)), "turns": turns}


def turns_of(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all turns of a record: of every dialogue, where several were sampled."""
    return [turn for path in record.get("paths") or [record] for turn in path["turns"]]


def describe_turn(turn: Turn) -> dict[str, Any]:
    """Return a turn as a record has it."""
    question, answer = turn.question, turn.answer
    return {
        "name": question.name,
        "prompt": question.prompt,
        "options": list(question.options),
        "response": answer.response,
        "label": answer.label,
        "match": answer.match,
        "scores": None if answer.scores is None else _rounded(answer.scores),
        "prompt_tokens": answer.prompt_tokens,
        "cached_tokens": answer.cached_tokens,
        "new_tokens": answer.new_tokens,
    }


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Return log-probabilities to six places: finer differences are float noise."""
    return {option: max(round(score, 6), -1e9) for option, score in scores.items()}
