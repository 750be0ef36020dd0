"""``coabench sweep`` from outside: what it plans, makes, refuses, and how it goes on."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.process import Run, process_environment, start, wait_for
from support.sweeps import SHEET, SLOW, Write, children, logs, manifests

from coabench.sweep.local import surroundings

pytestmark = pytest.mark.process

OUTPUT = Path("results/four")
MODULE = b"coabench.sweep.worker"


def rows(result: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def undisturbed(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the four runs record where nothing disturbs them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "sheet.yaml").write_text(SHEET)
    environment = process_environment(installed, COABENCH_CACHE=str(folder / "cache"))
    process = start(folder, environment, "sweep", "sheet.yaml")
    _, message = process.communicate(timeout=120)
    assert process.returncode == 0, message
    return logs(folder / OUTPUT)


def test_every_combination_becomes_an_ordinary_run(coabench: Run, sheet: Write, tmp_path: Path) -> None:
    further = """
exclude: [{strategy: direct, decode: score}]
include:
  - {strategy: "chain-of-affect:published", set: {count: 40}}
  - {strategy: direct, set: {count: 40}, batch_size: 2}
"""
    raises = {"SCRIPTED_EVENTS": str(tmp_path / "events"), "SCRIPTED_RAISES": "1"}
    result = coabench("sweep", sheet(further=further), "--format", "json", **raises)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("failed in coabench_run_finished and is left out") == 1  # one process did all four
    made = rows(result)
    assert [(row["strategy"], row["decode"], row["status"], row["done"]) for row in made] == [
        ("direct", "generate", "complete", 40),
        ("chain-of-affect", "generate", "complete", 40),
        ("chain-of-affect", "score", "complete", 40),
        ("chain-of-affect:published", "generate", "complete", 40),
    ]
    assert "done once" in result.stderr
    assert result.stderr.count("a script, not a model") == 1
    first = tmp_path / made[0]["directory"]
    assert first.name.startswith("scripted.direct.drawn.")
    metrics = json.loads((first / "metrics.json").read_text())
    assert made[0]["uar"] == metrics["uar"]
    ranked = coabench("leaderboard", OUTPUT, "--format", "json")
    assert {row["source"] for row in json.loads(ranked.stdout)} == {row["directory"] for row in made}
    command = json.loads((first / "run.json").read_text())["sessions"][0]["command"]
    assert command[:2] == ["coabench", "evaluate"]
    assert "is already complete" in coabench(*command[1:]).stderr

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / OUTPUT).rglob("*")}
    again = coabench("sweep", "sheet.yaml")
    assert again.returncode == 0
    assert "4 of 4 runs complete already" in again.stderr
    assert "generate" in again.stdout
    assert "In 1 of 4 runs: plugin 'scripted' failed in coabench_run_finished" in " ".join(again.stdout.split())
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / OUTPUT).rglob("*")} == before

    (first / "metrics.json").write_text(json.dumps({**metrics, "uar": 1.5}))
    damaged = coabench("sweep", "sheet.yaml", "--format", "json")
    assert "defect" not in damaged.stderr
    assert [row["status"] for row in rows(damaged)] == ["complete"] * 4
    assert rows(damaged)[0]["uar"] == metrics["uar"]  # computed again from the log


def test_a_mistake_in_one_run_is_reported_before_any_begins(coabench: Run, sheet: Write, tmp_path: Path) -> None:
    result = coabench("sweep", sheet(further="""
include: [{strategy: chain-of-afect}, {dataset: raf-db-compound}, {split: tset, seed: 1}, {set: {noize: no}}]
"""))  # fmt: skip
    assert result.returncode == 2
    for message in ("4 of 8 runs cannot be done", "chain-of-afect", "did you mean 'chain-of-affect'", "--data-root",
                 "no split 'tset'", "did you mean 'noise'", "'exclude'"):  # fmt: skip
        assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()


def test_what_stands_in_the_way_is_reported(coabench: Run, sheet: Write, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / OUTPUT).write_text("mine")
    refused = coabench("sweep", sheet())
    assert refused.returncode == 2
    assert "is a file" in refused.stderr
    (tmp_path / OUTPUT).unlink()
    (planned, *_) = rows(coabench("sweep", "sheet.yaml", "--dry-run", "--format", "json"))
    (tmp_path / planned["directory"]).mkdir(parents=True)
    (tmp_path / planned["directory"] / "thesis.tex").write_text("ten years of work")
    refused = coabench("sweep", "sheet.yaml")
    assert refused.returncode == 2
    assert "thesis.tex" in refused.stderr
    assert len(list((tmp_path / OUTPUT).iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measure", "2"], "--measure is for --dry-run"),
        (["--measure", "2", "--dry-run", "--executor", "ray"], "--measure times runs on this machine"),
        (["--ray-address", "auto"], "--ray-address is for --executor ray"),
        (["--executor", "ray", "--jobs", "2"], "--jobs is for --executor local"),
        (["--executor", "lokal"], "there is no executor named 'lokal'"),
        (["--executor", "local:jobs=0"], "1 or more"),
        (["--executor", "local:jobs=2", "--jobs", "3"], "say the same"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    coabench: Run, sheet: Write, arguments: list[str], message: str
) -> None:
    result = coabench("sweep", sheet(), *arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_a_run_that_fails_stops_no_other(
    coabench: Run, sheet: Write, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    crash = "\nadjust: [{for: {strategy: direct, decode: generate}, set: {crash_after: 3}}]\n"
    result = coabench("sweep", sheet(further=crash), "--format", "json")
    assert result.returncode == 1
    assert [row["status"] for row in rows(result)] == ["failed", "complete", "complete", "complete"]
    assert rows(result)[0]["done"] == 8
    assert "the machine is on fire" in rows(result)[0]["problem"]
    for message in (
        "direct, generate, 3: failed",
        "put it out",
        "1 of 4 runs could not be finished",
        "the same command",
    ):
        assert message in result.stderr
    assert "the machine is on fire" in coabench("sweep", "sheet.yaml").stdout
    fixed = coabench("sweep", sheet())
    assert fixed.returncode == 0, fixed.stderr
    assert "3 of 4 runs complete already" in fixed.stderr
    assert logs(tmp_path / OUTPUT) == undisturbed


def test_a_process_that_is_killed_is_one_run_that_failed(
    environment: dict[str, str], coabench: Run, sheet: Write, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """The first to be killed did two runs together, which then go on one by one; the second does one alone."""
    process = start(tmp_path, environment, "sweep", sheet(SLOW), "--jobs", "2", "--format", "json")
    wait_for(lambda: any((tmp_path / OUTPUT).glob("*/predictions.jsonl")), process)
    together = children(process.pid)
    os.kill(together[0], signal.SIGKILL)
    wait_for(lambda: {*children(process.pid)} - {*together}, process)
    os.kill(({*children(process.pid)} - {*together}).pop(), signal.SIGKILL)
    out, message = process.communicate(timeout=120)
    assert process.returncode == 1
    assert sorted(row["status"] for row in json.loads(out)) == ["complete", "complete", "complete", "failed"]
    assert "one by one now" in message
    assert message.count("was killed by SIGKILL") == 2
    assert coabench("sweep", "sheet.yaml").returncode == 0
    assert logs(tmp_path / OUTPUT) == undisturbed


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_stopped_goes_on(
    environment: dict[str, str],
    coabench: Run,
    sheet: Write,
    tmp_path: Path,
    undisturbed: dict[str, Any],
    how: signal.Signals,
) -> None:
    events = tmp_path / "events"
    process = start(tmp_path, {**environment, "SCRIPTED_EVENTS": str(events)}, "sweep", sheet(SLOW))
    begun = (tmp_path / OUTPUT).glob
    wait_for(lambda: sum(log.stat().st_size > 0 for log in begun("*/predictions.jsonl")) == 4, process)
    at_work = children(process.pid)
    process.send_signal(how)
    _, message = process.communicate(timeout=60)
    assert at_work
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in at_work))
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "continues from there" in message
        assert "Traceback" not in message
        assert events.read_text().splitlines()[-1].endswith(": stopped by SIGTERM")  # as its sweep asks
    states = [made["status"] for made in manifests(tmp_path / OUTPUT)]
    assert states == 4 * ["stopped" if how == signal.SIGINT else "running"]
    again = coabench("sweep", "sheet.yaml")
    assert again.returncode == 0, again.stderr
    assert logs(tmp_path / OUTPUT) == undisturbed


def test_a_dry_run_tells_what_is_left_and_guesses_nothing(coabench: Run, sheet: Write, tmp_path: Path) -> None:
    new = coabench("sweep", sheet(SLOW), "--dry-run")
    assert new.returncode == 0, new.stderr
    assert "4 runs, 4 of them not complete: 160 samples left." in new.stdout
    assert "tokens unknown; seconds unknown; 0.00 GPU hours" in new.stdout
    assert not (tmp_path / "results").exists()

    measured = rows(coabench("sweep", "sheet.yaml", "--dry-run", "--measure", "8", "--format", "json"))
    assert [row["questions"] for row in measured] == [1, 1, 2, 2]
    for row in measured:  # a batch of 4 waits 0.05 s a question
        assert row["seconds"] >= 40 * row["questions"] * 0.05 / 4
        assert row["seconds_from"] == "measured on 8 samples"
        assert row["prompt_tokens"] is None
    assert not (tmp_path / "results").exists()

    one = SLOW.replace("[direct, chain-of-affect]", "[direct]").replace("[generate, score]", "[generate]")
    assert coabench("sweep", sheet(one, name="one.yaml")).returncode == 0
    then = rows(coabench("sweep", "sheet.yaml", "--dry-run", "--format", "json"))
    assert [row["status"] for row in then] == ["complete", "new", "new", "new"]
    assert [row["seconds"] for row in then] == [0, None, None, None]
    longer = sheet(one.replace("count: [40]", "count: [80]"), name="longer.yaml")
    (more,) = rows(coabench("sweep", longer, "--dry-run", "--format", "json"))
    assert more["seconds"] >= 80 * 0.05 / 4
    assert more["seconds_from"] == Path(then[0]["directory"]).name


def test_jobs_share_devices_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    given = [surroundings(slot, 3, ["4", "7"], "auto") for slot in range(3)]
    assert [found["CUDA_VISIBLE_DEVICES"] for found in given] == ["4", "7", "4"]
    assert {found["OMP_NUM_THREADS"] for found in given} == {"2"}
    assert "CUDA_VISIBLE_DEVICES" not in surroundings(0, 3, ["4", "7"], "cuda:1")
    assert "CUDA_VISIBLE_DEVICES" not in surroundings(0, 3, [], "auto")
    assert surroundings(0, 1, [], "auto") == {}
