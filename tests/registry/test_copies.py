"""What plugins are given is theirs to change: nothing of a run follows."""

import json
from pathlib import Path
from typing import Any

from support.in_process import plugins_on
from support.planted import plant
from support.process import Run
from support.runs import untimed

from coabench.inference.exemplars import draw_pool
from coabench.registry.catalog import find_dataset, find_strategy

VANDAL = """
from dataclasses import dataclass
from coabench.dialogue import Prediction, Question
from coabench.strategy import Strategy


def spoil(value):
    if isinstance(value, dict):
        for inner in value.values():
            spoil(inner)
        value.clear()
        value["identity"] = "mine"
    elif isinstance(value, list):
        value[:] = ["mine"]


@hookimpl
def coabench_run_started(run):
    spoil(run.manifest)

@hookimpl
def coabench_sample_predicted(run, record):
    spoil(run.manifest), spoil(record)

@hookimpl
def coabench_run_finished(run, metrics):
    spoil(run.manifest), spoil(metrics), spoil(KEPT)

@hookimpl
def coabench_register_metrics(register):
    register("zz", "zz_bad:metric")

@hookimpl
def coabench_register_strategies(register):
    register("zz", "zz_bad:Asks")


KEPT = {"value": 0.5, "more": [1, 2]}


def metric(targets, predictions, labels):
    spoil(targets), spoil(predictions), spoil(labels)
    return KEPT


class Asks(Strategy):
    name = "zz"

    @dataclass
    class Options:
        times: int = 1

    def __init__(self, request):
        request.options.times = 9

    def identity(self):
        return {}

    def converse(self, task):
        spoil(task.space.spellings(task.labels))
        answer = yield Question("Which?", task.labels, decode="score")
        spoil(answer.scores)
        return Prediction(answer.label)
"""
WITNESS = """
import json
from pathlib import Path

@hookimpl
def coabench_sample_predicted(run, record):
    assert run.manifest["status"] == "running" and run.done and run.directory.is_dir() and record["id"]

@hookimpl
def coabench_run_finished(run, metrics):
    Path("seen.json").write_text(json.dumps([run.manifest, metrics]))
"""


def made(folder: Path) -> list[Any]:
    names = ("run.json", "metrics.json")
    manifest, metrics = (json.loads((folder / name).read_text()) for name in names)
    kept = ("identity", "labels", "notes", "status", "schema")
    return [{name: manifest[name] for name in kept}, metrics, untimed(folder)]


def test_observers_metrics_and_strategies_cannot_change_a_run(coabench: Run, tmp_path: Path) -> None:
    words = ("evaluate", "--backbone", "scripted", "--strategy", "zz", "--dataset", "drawn", "--limit", 4)
    (tmp_path / "plain").mkdir()
    plant(tmp_path / "plain", "zz_bad", VANDAL.replace("def spoil(value):", "def spoil(value):\n    return"))
    assert coabench(*words, "--output", "one", PYTHONPATH=str(tmp_path / "plain")).returncode == 0
    plant(tmp_path, "zz_bad", VANDAL)
    plant(tmp_path, "zz_witness", WITNESS)  # it is notified after the other
    spoilt = coabench(*words, "--output", "two", PYTHONPATH=str(tmp_path))
    assert spoilt.returncode == 0
    assert "failed in" not in spoilt.stderr
    one, two = made(tmp_path / "one"), made(tmp_path / "two")
    for metrics in (one[1], two[1]):
        del metrics["log_sha256"]  # records hold times
    assert one == two
    assert two[0]["identity"]["strategy"]["options"] == {"times": 1}
    assert two[1]["plugins"]["zz"] == {"value": 0.5, "more": [1, 2]}
    manifest, metrics = json.loads((tmp_path / "seen.json").read_text())
    assert manifest == json.loads((tmp_path / "two" / "run.json").read_text())
    assert metrics == json.loads((tmp_path / "two" / "metrics.json").read_text())


def test_the_image_of_an_exemplar_is_nobodys_to_scale(scripted: list[str]) -> None:
    with plugins_on(scripted):
        pool = draw_pool(find_dataset("drawn").open(None), "test", find_strategy("one-shot").open(), 0)
    first = pool.images("drawn/test_000")
    size = first[0].size
    first[0].thumbnail((4, 4))
    assert pool.images("drawn/test_000")[0].size == size
