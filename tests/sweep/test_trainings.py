"""Sweeps of trainings: each an ordinary training, the hopeless stopped early, the best named."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.checkpoint import write
from support.process import Run
from support.rafdb_tree import make_rafdb
from support.sweeps import Write

SHEET = """
job: train
name: seeds
defaults:
  {backbone: "tiny:model", strategy: direct, dataset: raf-db-basic, data_root: RAF-DB, device: cpu, rank: 2, dev: 0.5,
   steps: 2, evaluations: 2, batch_size: 2}
axes:
  seed: [0, 1]
"""
OUTPUT = Path("adapters/seeds")
ASHA = "\nasha: {reduction_factor: 2}\n"


@pytest.fixture
def faces(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=5)
    make_rafdb(tmp_path / "RAF-DB", basic=(2, 1), compound=(1, 1), annotations=False)


def manifests(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/training.json"))]


@pytest.mark.slow
@pytest.mark.usefixtures("faces")
def test_trainings_of_a_sheet_are_ordinary_trainings(
    coabench: Run, sheet: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = coabench("sweep", sheet(SHEET, ASHA), "--dry-run", "--format", "json")
    assert planned.returncode == 0, planned.stderr
    plan = [(row["seed"], row["steps"], row["questions"], row["seconds"]) for row in json.loads(planned.stdout)]
    assert plan == [(0, 2, 4, None), (1, 2, 4, None)]
    assert not (tmp_path / "adapters").exists()

    scores = iter([0.6, 0.5, 0.4])  # the first training, before and at its end; the second, which is stopped
    monkeypatch.setattr(
        "coabench.training.trainer.development_scores", lambda plan: {"uar": next(scores), "invalid": 0.0}
    )
    swept = coabench("sweep", "sheet.yaml", "--executor", "here", "--format", "json")
    assert swept.returncode == 0, swept.stderr
    first, second, both = json.loads(swept.stdout)
    assert (first["seed"], first["status"], first["uar"], first["selected_step"]) == (0, "complete", 0.6, 1)
    assert (second["seed"], second["status"], second["done"], second["adapter"]) == (1, "stopped early", 1, None)
    assert both == {"seeds": 1, "of": 2, "uar_mean": 0.6, "uar_sd": None}
    why = "hopeless after evaluation 1, step 1: a dev UAR of 40.00 is not in the best 1/2 of those before it"
    assert second["problem"] == f"{why} (60.00 or more)"
    (stopped,) = (each for each in manifests(tmp_path / OUTPUT) if each["status"] == "stopped")
    assert stopped["stopped_early"]["needed"] == 0.6
    refused = coabench("evaluate", "--backbone", "tiny:model", "--adapter", second["directory"])
    assert refused.returncode == 2
    assert "is not finished" in refused.stderr

    again = coabench("sweep", "sheet.yaml", "--executor", "here")
    assert "2 of 2 trainings complete or stopped early already" in again.stderr
    assert f"coabench evaluate --backbone tiny:model --adapter {first['adapter']}" in " ".join(again.stdout.split())
    command = manifests(tmp_path / OUTPUT)[0]["sessions"][0]["command"]

    scores = iter([0.8])
    resumed = coabench("sweep", sheet(SHEET), "--executor", "here", "--format", "json")
    assert resumed.returncode == 0, resumed.stderr
    best, other, both = json.loads(resumed.stdout)
    assert [(row["seed"], row["status"], row["uar"]) for row in (best, other)] == [
        (1, "complete", 0.8), (0, "complete", 0.6),
    ]  # fmt: skip
    assert (both["seeds"], both["uar_mean"]) == (2, pytest.approx(0.7))
    assert both["uar_sd"] == pytest.approx(0.02**0.5)
    assert "stopped_early" not in {name for each in manifests(tmp_path / OUTPUT) for name in each}
    assert "is already complete" in coabench(*command[1:]).stderr


@pytest.mark.slow
@pytest.mark.usefixtures("faces")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ray_makes_the_same_adapter(coabench: Run, coabench_process: Run, sheet: Write, tmp_path: Path) -> None:
    one = SHEET.replace("seed: [0, 1]", "seed: [3]")
    made = [
        coabench_process("sweep", sheet(one, ASHA), "--executor", "ray", "--format", "json"),
        coabench("sweep", sheet(one.replace("name: seeds", "name: here")), "--executor", "here", "--format", "json"),
    ]
    assert [each.returncode for each in made] == [0, 0], made[0].stderr
    folders = [tmp_path / json.loads(each.stdout)[0]["adapter"] for each in made]
    assert folders[0].name == folders[1].name
    assert len({(folder / "adapter_model.safetensors").read_bytes() for folder in folders}) == 1


@pytest.mark.usefixtures("faces")
@pytest.mark.parametrize(
    ("further", "message"),
    [
        ("asha: {}\ninclude: [{evaluations: 3}]", "the same 'evaluations' for all"),
        ("asha: {}\ninclude: [{dev: 0}]", "a development part for all"),
        ("asha: {grace_period: 2}", "asha would stop no training"),
        ("include: [{rank: 0}]", "--rank 0 makes no sense"),
    ],
)
def test_trainings_that_cannot_be_compared_are_refused(
    coabench: Run, sheet: Write, tmp_path: Path, further: str, message: str
) -> None:
    refused = coabench("sweep", sheet(SHEET, further))
    assert refused.returncode == 2
    assert message in refused.stderr
    assert not (tmp_path / "adapters").exists()


@pytest.mark.usefixtures("faces")
def test_stages_are_one_training_and_are_not_halved(coabench: Run, sheet: Write, tmp_path: Path) -> None:
    (tmp_path / "stages.yaml").write_text("stages: [{name: basic}, {name: again, steps: 3}]")
    (row,) = json.loads(
        coabench("sweep", sheet(SHEET.replace("0, 1", "0").replace("rank: 2", "rank: 2, stages: stages.yaml")),
                 "--dry-run", "--format", "json").stdout
    )  # fmt: skip
    assert (row["steps"], row["questions"]) == (5, 10)
    refused = coabench("sweep", sheet(SHEET.replace("rank: 2", "rank: 2, stages: stages.yaml"), ASHA))
    assert "trainings in stages cannot be stopped early" in refused.stderr
