"""Metrics of plugins that ask for the records of a run: from an evaluation, a file, a run read again, a leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.runs import metrics, records

from coabench import load_runs
from coabench.errors import UserError
from coabench.registry.metrics import asks_for_records, call_metric
from coabench.scoring.rescore import Rescoring, rescore
from coabench.testing.runs import registered, tiny_run
from coabench.testing.spaces import CARDS


def margin(targets: list[str], predictions: list[str | None], labels: Any, records: list[dict[str, Any]]) -> Any:
    """Return the mean distance of the best and the second best score; spoil everything on the way."""
    assert [record["target"] for record in records] == targets
    assert [record["prediction"] for record in records] == predictions
    scores = [sorted(turn["scores"].values()) for record in records for turn in record["turns"] if turn["scores"]]
    for thing in (targets, predictions, labels, records):
        thing.clear()
    if not scores:
        raise UserError("this run has no scores", remedy="evaluate with --decode score")
    return {"value": sum(row[-1] - row[-2] for row in scores) / len(scores), "n": len(scores)}


def ids(targets: list[str], predictions: list[str | None], labels: Any, *, records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]


class Notes:
    """What a run reports to its user."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    def __getattr__(self, name: str) -> Any:
        from coabench.evaluation.progress import Silence

        return getattr(Silence(), name)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with registered("metrics", "a-margin", margin), registered("metrics", "ids", ids):
        yield


def test_it_is_passed_the_records_of_the_log(tmp_path: Path) -> None:
    tiny_run(tmp_path / "run", decode="score", limit=6)
    stored, log = metrics(tmp_path / "run")["plugins"], records(tmp_path / "run")
    scores = [sorted(turn["scores"].values()) for record in log for turn in record["turns"]]
    assert stored["a-margin"]["value"] == pytest.approx(sum(row[-1] - row[-2] for row in scores) / len(scores))
    assert stored["ids"] == [record["id"] for record in log]  # another metric's mischief is not seen
    assert log[0]["target"]


def test_one_that_needs_what_the_run_lacks_says_so_and_the_run_is_complete(tmp_path: Path) -> None:
    notes = Notes()
    run = tiny_run(tmp_path / "run", progress=notes)  # type: ignore[arg-type]
    assert run.manifest["status"] == "complete"
    said = "metric 'a-margin' of plugin 'coabench.testing' is left out: this run has no scores"
    assert f"{said} (evaluate with --decode score)" in notes.said
    assert set(run.metrics["plugins"]) == {"ids"}


def test_a_run_read_again_and_a_leaderboard_say_the_same(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "results" / "run")
    card = str(CARDS["testing-compound"])
    again = rescore(Rescoring(run.directory, "standard", labels=card, output=tmp_path / "results" / "again"))
    assert again.metrics["plugins"] == run.metrics["plugins"]
    tiny_run(tmp_path / "scored" / "run", decode="score")
    value = metrics(tmp_path / "scored" / "run")["plugins"]["a-margin"]["value"]
    assert load_runs(tmp_path / "scored").loc[0, "plugins.a-margin"] == value
    (tmp_path / "scored" / "run" / "metrics.json").unlink()
    assert load_runs(tmp_path / "scored").loc[0, "plugins.a-margin"] == value


@pytest.mark.parametrize(
    ("metric", "asks"),
    [
        (margin, True),
        (ids, True),
        (lambda targets, predictions, labels, records=None: len(records), True),
        (lambda targets, predictions, labels: 0, False),
        (lambda targets, predictions, labels, others=1: 0, False),
        (lambda *records: 0, False),
        (lambda *a, **records: 0, False),
        (max, False),
    ],
)
def test_who_asks(metric: Any, asks: bool) -> None:
    assert asks_for_records(metric) == asks


def test_who_does_not_ask_causes_no_reading() -> None:
    def reading() -> list[dict[str, Any]]:
        raise AssertionError

    assert call_metric(lambda targets, predictions, labels: len(targets), ["a"], [None], {}, reading) == 1
    assert call_metric(lambda t, p, labels, records, /: records, ["a"], ["a"], {}, lambda: [{"id": 1}]) == [{"id": 1}]
    assert json.dumps(call_metric(lambda t, p, labels: labels, [], [], {"names": ["a"]}, reading))
