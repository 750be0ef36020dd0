"""What docs/guides/sweep.md shows is true."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from support.process import ROOT, Run

from coabench.sweep.jobs import EVALUATE
from coabench.sweep.sheet import SheetFields, read_sheet

pytestmark = pytest.mark.process


def test_the_sweep_of_the_guide_works(coabench: Run, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guides" / "sweep.md").read_text()
    first, second, third, fourth = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "sweep.yaml").write_text(first)
    planned = coabench("sweep", "sweep.yaml", "--dry-run", "--format", "json")
    assert planned.returncode == 0, planned.stderr
    result = coabench("sweep", "sweep.yaml", "--jobs", 2)
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "results/first").iterdir())) == 3
    for row in json.loads(planned.stdout):  # the tokens that were announced are those that were recorded
        log = (tmp_path / row["directory"] / "predictions.jsonl").read_text().splitlines()
        turns = [turn for line in log for turn in json.loads(line)["turns"]]
        if row["strategy"] == "direct":  # which asks every sample the same, whatever the answer
            assert row["prompt_tokens"] == sum(turn["prompt_tokens"] for turn in turns)
    assert coabench("leaderboard", "results/first").returncode == 0

    (tmp_path / "second.yaml").write_text(second)
    wanted = read_sheet(tmp_path / "second.yaml").wanted()
    assert [run.settings["batch_size"] for run in wanted] == [8, 8, 4, 4, 8]
    (tmp_path / "third.yaml").write_text(third)
    folds = [run.settings for run in read_sheet(tmp_path / "third.yaml").wanted()]
    assert [(run["seed"], run["fold"]) for run in folds] == [(s, f"{f}/3") for s in (0, 1, 2) for f in (1, 2, 3)]
    (tmp_path / "fourth.yaml").write_text(fourth)
    trainings = read_sheet(tmp_path / "fourth.yaml")
    assert trainings.asha is not None
    assert len(trainings.wanted()) == 8
    for name in ("schema", *(field.name for field in fields(SheetFields)), *EVALUATE.options.kinds):
        assert f"`{name}`" in guide
