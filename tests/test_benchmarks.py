"""Benchmarks run, write what they found, and refuse in words what they cannot measure."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from support.process import ROOT, process_environment

pytest.importorskip("torch")

# The folder is not put on the path, where its names would hide others.
SPEC = importlib.util.spec_from_file_location("budget", ROOT / "benchmarks" / "budget.py")
assert SPEC is not None
assert SPEC.loader is not None
sys.modules["budget"] = budget = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(budget)
Budget, Case, Part, Row, Skipped = budget.Budget, budget.Case, budget.Part, budget.Row, budget.Skipped


def run(script: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=process_environment(), capture_output=True, text=True, check=False)


def test_no_benchmark_hides_a_package() -> None:
    """A benchmark's folder is first on its path: numba took our coverage.py for the package of that name."""
    own = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert not own & {*sys.stdlib_module_names, *packages_distributions()}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.process
def test_the_kit_for_gpus_runs_in_small_on_a_cpu(tmp_path: Path) -> None:
    done = run("gpu.py", "--size", "tiny", "--device", "cpu", "--minutes", 30, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    golden = (ROOT.parent / "shared" / "oracle").is_dir()
    for row in rows:
        assert row["status"] == ("ok" if golden or row["part"] != "golden outputs" else "skipped"), row
    assert {row["part"] for row in rows} >= {"golden outputs", "checks", "inference", "training", "compiled"}
    table = (tmp_path / "gpu.md").read_text()
    assert all(row["case"] in table for row in rows)
    assert "refused" in table


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("inference.py", ("--faces", 4), "--faces: 4 cannot be measured (expected a whole number, 7 or more)"),
        ("gpu.py", ("--device", "cpu"), "--size full is for a GPU"),
        ("peers.py", ("--faces", 0), "--faces: 0 cannot be measured (expected a whole number, 1 or more)"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, script: str, arguments: tuple[object, ...], said: str
) -> None:
    done = run(script, *arguments, folder=tmp_path)
    assert (done.returncode, [*tmp_path.iterdir()]) == (2, [])
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def measured(*parts: Part, seconds: float = 1.0) -> list[Row]:
    reported: list[Row] = []
    budget = Budget(time.perf_counter() + seconds, lambda rows: reported.append(dict(rows[-1])), lambda: None)
    budget.carry_out(parts)
    assert reported == budget.rows
    return reported


def fails() -> dict[str, float]:
    raise ValueError("broken")


def elsewhere() -> dict[str, float]:
    raise Skipped("not here")


def test_a_case_that_fails_or_takes_too_long_ends_no_other() -> None:
    endless = Part("endless", 1, [Case("sleeps", lambda: time.sleep(60) or {}), Case("after it", lambda: {"x": 2.0})])
    others = Part("others", 1, [Case("fails", fails), Case("elsewhere", elsewhere), Case("counts", lambda: {"x": 1.0})])
    rows = {row["case"]: row for row in measured(endless, others, seconds=0.4)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "sleeps": "skipped", "after it": "skipped", "fails": "failed", "elsewhere": "skipped", "counts": "ok",
    }  # fmt: skip
    assert "its time was up" in rows["sleeps"]["reason"]
    assert rows["fails"]["reason"] == "ValueError: broken"
    assert rows["elsewhere"]["reason"] == "not here"
    assert rows["counts"]["x"] == 1.0


def test_a_case_is_not_begun_where_a_smaller_one_took_longer_than_is_left() -> None:
    cases = [Case("small", lambda: time.sleep(0.3) or {}), Case("large", lambda: time.sleep(0.4) or {}, like="small")]
    small, large = measured(Part("part", 1, cases), seconds=0.5)
    assert (small["status"], large["status"], large["seconds"]) == ("ok", "skipped", 0.0)
    assert "of a smaller one" in large["reason"]
