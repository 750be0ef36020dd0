"""Trainings in stages: one adapter goes through them, and a stage that is done is not made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coabench_tiny.checkpoint import write
from support.in_process import command
from support.rafdb_tree import make_rafdb

from coabench.runs.adapter import TrainingRecord

SHEET = """
schema: 1
stages:
  - name: basic
    dataset: raf-db-basic
    steps: 2
  - name: compound
    dataset: raf-db-compound
    lr: 1e-5
    part_lr: {vision: 5e-6}
"""
ARGUMENTS = ("train", "--strategy", "direct", "--data-root", "RAF-DB", "--stages", "stages.yaml", "--device", "cpu",
             "--steps", 1, "--batch-size", 2, "--rank", 2, "--dev", 0, "--output", "out")  # fmt: skip


@pytest.mark.slow
def test_stages_follow_one_another_and_go_on(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=5)
    make_rafdb(tmp_path / "RAF-DB", basic=(1, 1), compound=(1, 1), annotations=False)
    (tmp_path / "stages.yaml").write_text(SHEET)
    train = [*ARGUMENTS, "--backbone", f"tiny:{tmp_path / 'model'}"]
    done = command(tmp_path, train, {})
    assert done.returncode == 0, done.stderr
    assert "stage 2 of 2: compound" in done.stderr
    assert "--adapter out/2-compound" in done.stdout
    stages = json.loads((tmp_path / "out" / "stages.json").read_text())
    assert stages["status"] == "complete"
    assert [(each["name"], each["folder"], each["data"], each["steps"]) for each in stages["stages"]] == [
        ("basic", "1-basic", ["raf-db-basic"], 2),
        ("compound", "2-compound", ["raf-db-compound"], 1),
    ]
    identity = TrainingRecord.read(tmp_path / "out" / "2-compound").identity
    assert identity is not None
    assert [part.dataset for part in identity.seen] == ["raf-db-compound", "raf-db-basic"]
    assert (identity.recipe["learning_rate"], identity.recipe["part_lr"]) == (1e-5, {"vision": 5e-6})
    (tmp_path / "stages.yaml").write_text(SHEET.replace("1e-5", "2e-5"))
    changed = command(tmp_path, train, {})
    assert changed.returncode == 2
    assert "out/1-basic is already complete" in changed.stderr
    assert "recipe.learning_rate: 1e-05 -> 2e-05" in changed.stderr
    assert json.loads((tmp_path / "out" / "stages.json").read_text()) == stages


@pytest.mark.parametrize(
    ("sheet", "problem"),
    [
        ("stages: []", "stages need names of their own"),
        ("stages: [{name: a}, {name: a}]", "stages need names of their own"),
        ("stages: [{name: a/b}]", "letters, digits, _ and -"),
        ("stages: [{name: a, rank: 3}]", "rank"),
        ("stages: [{name: a}, {name: b, dataset: nothing}]", "nothing"),
    ],
)
def test_a_sheet_that_fits_nothing_is_refused_before_the_first_stage(tmp_path: Path, sheet: str, problem: str) -> None:
    (tmp_path / "stages.yaml").write_text(sheet)
    refused = command(tmp_path, ["train", "--stages", "stages.yaml", "--output", "out"], {})
    assert refused.returncode == 2
    assert problem in refused.stderr
    assert not (tmp_path / "out").exists()
