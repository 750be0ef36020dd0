"""Runs of the same names show in what they differ, in the leaderboard, compared, and as pandas tables."""

import csv
import io
from pathlib import Path

import pytest
from support.leaderboard_run import write_run
from support.process import Run

import coabench


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for crops, hits in ((4, 30), (16, 36)):
        facts = {"checkpoint": "c" * 64, "num_crops": crops, "adapter": {"fingerprint": f"{crops:02}" * 32}}
        write_run(tmp_path / "runs" / f"crops-{crops}", hits, labels="l", backbone={"facts": facts})
    write_run(tmp_path / "runs" / "other", 20, strategy="rank", labels="l", backbone={"facts": {"num_crops": 4}})
    return tmp_path / "runs"


def test_rows_that_differ_in_options_alone_show_them(coabench: Run, runs: Path) -> None:
    result = coabench("leaderboard", runs, "--format", "csv")
    assert result.returncode == 0, result.stderr
    rows = {row["name"]: row["options"] for row in csv.DictReader(io.StringIO(result.stdout))}
    assert rows["crops-4"] == "num_crops=4, adapter.fingerprint=040404040404"
    assert rows["crops-16"] == "num_crops=16, adapter.fingerprint=161616161616"
    assert rows["other"] == ""
    shown = coabench("leaderboard", runs).stdout
    assert "Options" in shown
    assert "num_crops=4" in shown


def test_runs_without_such_rows_have_no_such_column(coabench: Run, runs: Path) -> None:
    shown = coabench("leaderboard", runs / "other")
    assert shown.returncode == 0, shown.stderr
    assert "Options" not in shown.stdout


def test_a_comparison_says_it_too(coabench: Run, runs: Path) -> None:
    said = coabench("compare", runs / "crops-4", runs / "crops-16").stdout
    assert "A with num_crops=4, " in said
    assert "B with num_crops=16, " in said
    assert "num_crops" not in coabench("compare", runs / "crops-4", runs / "other").stdout


def test_a_pandas_table_says_it_too(runs: Path) -> None:
    table = coabench.load_runs(runs)
    options = dict(zip(table["name"], table["options"], strict=True))
    assert options["crops-16"].startswith("num_crops=16, ")
    assert table["options"].isna().sum() == 1
    assert "settings" not in table
