"""``coabench leaderboard --over fold`` and ``compare`` of runs made by hand: what pooled folds are said to be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.leaderboard_run import write_run
from support.process import Run

FOLDS = 2
LABELS = "d" * 64


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Write a run on a split with votes, and one for each half of it, whose votes have digests of their own."""
    whole = write_run(tmp_path / "r" / "whole", 30, votes="a" * 64, labels=LABELS)
    lines = (whole / "predictions.jsonl").read_text().splitlines(keepends=True)
    for number in range(1, FOLDS + 1):
        own = lines[number - 1 :: FOLDS]
        fold = {"number": number, "of": FOLDS, "scheme": "stratified", "seed": 0, "assignment": "c" * 64}
        run = write_run(
            tmp_path / "r" / f"fold-{number}", 30, metrics=False, votes=str(number) * 64, labels=LABELS, fold=fold
        )
        manifest = json.loads((run / "run.json").read_text())
        manifest["identity"]["dataset"]["samples"] = len(own)
        (run / "run.json").write_text(json.dumps(manifest))
        (run / "predictions.jsonl").write_text("".join(own))
    return tmp_path / "r"


def test_folds_with_votes_are_not_said_to_have_other_votes_than_the_split(runs: Path, coabench: Run) -> None:
    result = coabench("leaderboard", runs, "--over", "fold", "--format", "json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert {row["name"]: row["options"] for row in rows} == {"fold-*": None, "whole": None}
    assert len({(row["uar"], row["kappa"], row["adjusted_uar"]) for row in rows}) == 1
    compared = coabench("compare", runs / "fold-1", runs / "fold-2", "--", runs / "whole")
    assert compared.returncode == 0, compared.stderr
    assert "votes=" not in compared.stdout


def test_a_copy_of_a_fold_counts_once(runs: Path, coabench: Run) -> None:
    shutil.copytree(runs / "fold-1", runs / "fold-1-again")
    rows = json.loads(coabench("leaderboard", runs, "--over", "fold", "--format", "json").stdout)
    found = {
        row["fold"]: [row[name] for name in ("samples", "uar", "invalid", "invalid_rate", "errors")] for row in rows
    }
    assert found["2 folds"] == found[None]
    assert found[None][2] == 30


def test_other_votes_are_said(runs: Path, coabench: Run) -> None:
    write_run(runs / "again", 20, votes="b" * 64, labels=LABELS)
    compared = coabench("compare", runs / "whole", runs / "again")
    assert "A with votes=aaaaaaaaaaaa; B with votes=bbbbbbbbbbbb" in compared.stdout
