"""Runs as pandas tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.process import Run

from coabench import load_records, load_runs
from coabench.errors import UserError
from coabench.runs.run import read_records
from coabench.testing.runs import tiny_run


def test_load_runs_and_records(coabench: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        made = coabench("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", f"results/{name}")
        assert made.returncode == 0, made.stderr
    runs = load_runs(tmp_path / "results")
    assert list(runs["name"]) == ["one", "two"]
    assert runs["uar"].between(0, 1).all()
    assert "rank_low" not in runs
    records = load_records(tmp_path / "results" / "one")
    assert len(records) == runs.loc[0, "samples"]
    assert (records["prediction"] == records["target"]).mean() == pytest.approx(runs.loc[0, "war"])
    assert {"response.primary", "label.secondary"} <= set(records.columns)


def test_records_hold_scores_confidence_and_what_is_right(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", strategy="chain-of-affect", decode="score")
    table = load_records(run.directory)
    assert table["correct"].mean() == pytest.approx(run.metrics["war"])
    assert table["confidence"].mean() == pytest.approx(run.metrics["calibration"]["confidence"])
    first = next(read_records(run.directory))
    for turn in first["turns"]:
        assert {option: table.loc[0, f"scores.{turn['name']}.{option}"] for option in turn["scores"]} == turn["scores"]
    for name, value in first["attributes"].items():
        assert table.loc[0, f"attributes.{name}"] == value
    plain = load_records(tiny_run(tmp_path / "plain").directory)
    assert plain["confidence"].isna().all()
    assert not [column for column in plain if column.startswith("scores.")]


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run"):
        load_runs(tmp_path)
    with pytest.raises(UserError, match="holds no run"):
        load_records(tmp_path)
