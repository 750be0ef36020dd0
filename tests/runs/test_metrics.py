"""Metrics that an installed plugin registers: in every place where the headline figures of a run are."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from support.process import Run

from coabench import load_runs

RUN = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn")


@pytest.fixture
def stdout(coabench: Run) -> str:
    """What an evaluation prints; its run is in ``results/one``."""
    made = coabench(*RUN, "--output", "results/one")
    assert made.returncode == 0, made.stderr
    assert "metric 'failing' of plugin 'scripted' failed: ValueError" in made.stderr
    assert "metric 'leaving' of plugin 'scripted' failed: SystemExit: 9" in made.stderr
    assert "words on stdout" in made.stderr
    assert "words on stdout" not in made.stdout
    return made.stdout


def test_it_is_in_the_file_and_in_what_is_printed(stdout: str, tmp_path: Path) -> None:
    metrics = json.loads((tmp_path / "results" / "one" / "metrics.json").read_text())
    silent = (metrics["invalid"] + metrics["errors"]) / metrics["samples"]
    used = metrics["plugins"]["labels-used"]["value"]
    assert metrics["plugins"]["silence"] == silent
    assert f"\nsilent                 {silent:.2%}\n" in stdout
    assert f"\nlabels-used            {used}  (95 % interval {used - 1} to {used + 0.5})\n" in stdout


def test_it_is_a_column_of_the_leaderboard(stdout: str, coabench: Run, tmp_path: Path) -> None:
    plugins = json.loads((tmp_path / "results" / "one" / "metrics.json").read_text())["plugins"]
    used, silence = plugins["labels-used"]["value"], plugins["silence"]
    [row] = json.loads(coabench("leaderboard", "--format", "json").stdout)
    expected = {
        "plugins.labels-used": used,
        "plugins.labels-used:low": used - 1,
        "plugins.labels-used:high": used + 0.5,
        "plugins.silence": silence,
        "plugins.silence:low": None,
        "plugins.silence:high": None,
    }
    assert {key: value for key, value in row.items() if key.startswith("plugins.")} == expected
    [cells] = csv.DictReader(StringIO(coabench("leaderboard", "--format", "csv").stdout))
    assert {key: cells[key] for key in expected} == {k: "" if v is None else str(v) for k, v in expected.items()}
    for format in ("table", "markdown", "latex", "html"):
        shown = coabench("leaderboard", "--format", format).stdout
        assert "Silent" in shown
        assert "Labels-used" in shown
        assert f"{100 * silence:.2f}" in shown
        assert "share of samples without a label (plugin scripted)" in shown


def test_it_is_in_the_report_and_the_pandas_table(stdout: str, coabench: Run, tmp_path: Path) -> None:
    silence = json.loads((tmp_path / "results" / "one" / "metrics.json").read_text())["plugins"]["silence"]
    assert coabench("report", "results/one", "--output", "page.html").returncode == 0
    text = " ".join(re.sub(r"<[^>]*>", " ", (tmp_path / "page.html").read_text()).split())
    assert f"Silent {100 * silence:.2f} %" in text
    table = load_runs(tmp_path)
    assert table.loc[0, "plugins.silence"] == silence
    figures = [column for column in table.columns if column.endswith("low")]
    ours = ["uar_low", "war_low", "macro_f1_low", "adjusted_uar_low", "kappa_low"]
    assert figures == [*ours, "plugins.labels-used:low", "plugins.silence:low"]


def test_metrics_that_are_computed_again_hold_it(stdout: str, coabench: Run, tmp_path: Path) -> None:
    before = json.loads(coabench("leaderboard", "--format", "json").stdout)
    (tmp_path / "results" / "one" / "metrics.json").unlink()
    [row] = json.loads(coabench("leaderboard", "--format", "json").stdout)
    assert row.pop("note").startswith("there is no metrics.json: computed again from the log; metric 'failing'")
    assert [row] == [{key: value for key, value in old.items() if key != "note"} for old in before]


def test_without_the_plugin_the_stored_number_is_still_shown(stdout: str, coabench: Run, tmp_path: Path) -> None:
    silence = json.loads((tmp_path / "results" / "one" / "metrics.json").read_text())["plugins"]["silence"]
    shown = coabench("leaderboard", COABENCH_DISABLE_PLUGINS="scripted")
    assert f"{silence:.4g}" in shown.stdout
    assert "silence: a metric of a plugin that is not installed here." in shown.stdout


def test_runs_with_and_without_it_stand_in_one_table(stdout: str, coabench: Run, tmp_path: Path) -> None:
    path = tmp_path / "results" / "one" / "metrics.json"
    metrics = json.loads(path.read_text())
    other = tmp_path / "results" / "two"
    coabench(*RUN, "--output", "results/two", "--seed", 1)
    (other / "metrics.json").write_text(json.dumps(json.loads((other / "metrics.json").read_text()) | {"plugins": {}}))
    rows = {row["name"]: row for row in csv.DictReader(StringIO(coabench("leaderboard", "--format", "csv").stdout))}
    assert rows["one"]["plugins.silence"] == str(metrics["plugins"]["silence"])
    assert rows["two"]["plugins.silence"] == ""


def test_metrics_that_lack_a_figure_of_ours_are_computed_again(stdout: str, coabench: Run, tmp_path: Path) -> None:
    path = tmp_path / "results" / "one" / "metrics.json"
    metrics = json.loads(path.read_text())
    before = json.loads(coabench("leaderboard", "--format", "json").stdout)
    del metrics["macro_f1"]
    path.write_text(json.dumps(metrics))
    [row] = json.loads(coabench("leaderboard", "--format", "json").stdout)
    assert (row["kind"], row["macro_f1"]) == ("run", before[0]["macro_f1"])
