"""Damage to any field of what a run or a training left: said in words, or harmless; never an error of Python's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.damage import ALL, damages, outcome
from support.process import ROOT

from coabench.reports.compare import compare
from coabench.reports.entry import read_entry
from coabench.reports.report import Report, report
from coabench.reports.run_row import RUN
from coabench.runs.adapter import TrainingRecord
from coabench.scoring.rescore import Rescoring, rescore
from coabench.testing import tiny_run

ADAPTER = ROOT / "plugins" / "coabench_tiny" / "adapters" / "chain-of-affect"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "good"
    tiny_run(folder, strategy="chain-of-affect")
    return folder


def listed(directory: Path, uar: float) -> None:
    """A run is ranked with its own figure, or listed with what is damaged."""
    row = read_entry(directory).row
    assert "Error:" not in (row.note or ""), row.note
    assert row.kind != RUN or row.uar.value == uar or "computed again" in (row.note or ""), row.uar


def jobs(directory: Path, good: Path, number: int, metrics: bool) -> dict[str, Callable[[], Any]]:
    """Return what reads a run; each is tried on every damage, or on some; *metrics* are read by the first alone."""
    uar = json.loads((good / "metrics.json").read_text())["uar"]
    again, rescored = directory.with_name("again"), directory.with_name("rescored")

    def resume() -> None:
        shutil.rmtree(again, ignore_errors=True)
        shutil.copytree(directory, again)
        tiny_run(again, strategy="chain-of-affect")

    every = {
        "report": lambda: report(Report(directory)),
        "compare": lambda: compare(good, directory),
        "rescore": lambda: rescore(Rescoring(directory, "lenient", output=rescored, overwrite=True)),
        "resume": resume,
    }
    some = every if ALL else dict([list(every.items())[number % (1 if metrics else len(every))]])
    return {"leaderboard": lambda: listed(directory, uar), **some}


def learnt_from(adapter: Path) -> None:
    """Do what an evaluation does with the record of an adapter's training."""
    record = TrainingRecord.read(adapter)
    assert record.identity is not None
    record.check_unseen("d", "test", "f", dict, allowed=False)
    record.notes({}, record.identity.strategies[0])


def test_the_damaged_record_of_a_training_is_said_to_be_damaged(tmp_path: Path) -> None:
    data = json.loads((ADAPTER / "training.json").read_text())
    data["learnt"] = {"reader": 2, "changed": 0, "hashes": {"a": "0 1"}}
    found = []
    for what, bad in damages(data, 3):
        (tmp_path / "training.json").write_text(json.dumps(bad))
        if problem := outcome(lambda: learnt_from(tmp_path)):
            found.append(f"{what}: {problem[:300]}")
    assert not found, f"{len(found)}:\n" + "\n".join(found)


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "predictions.jsonl"])
def test_a_damaged_run_is_said_to_be_damaged(run: Path, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "bad"
    shutil.copytree(run, directory)
    first, *rest = (run / name).read_text().splitlines(keepends=True)
    lines = name.endswith("l")
    found = []
    for number, (what, data) in enumerate(damages(json.loads(first if lines else (run / name).read_text()), len(name))):
        (directory / name).write_text(json.dumps(data) + "\n" + ("".join(rest) if lines else ""))
        for job, perform in jobs(directory, run, number, name == "metrics.json").items():
            if problem := outcome(perform):
                found.append(f"{what}: {job}: {problem[:300]}")
    assert not found, f"{len(found)}:\n" + "\n".join(found)
