"""``coabench stress`` from outside: its runs are those of ``coabench evaluate``, record for record."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.process import Run
from support.runs import manifest, untimed

HERE = ("--executor", "here")
BASE = ("--backbone", "scripted", "--dataset", "drawn", "--batch-size", 5)
SUITE = """
schema: 1
conditions:
  - {rewrite: "order:rotate=1"}
  - {name: twice, family: mixed, rewrite: ["polite:style=please", "case:style=lower", "comma:last=no"]}
  - {name: dark, transform: "brightness:severity=2", rewrite: "quotes:style=double"}
  - {transform: brightness, severities: [2]}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE)
    return path


def stress(coabench: Run, *more: object) -> Any:
    return coabench("stress", *BASE, "--suite", "mine.yaml", "--output", "out", *HERE, *more)


def logs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {log.parent.name: untimed(log.parent) for log in sorted(folder.glob("*/predictions.jsonl"))}


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_every_condition_is_the_run_that_its_command_makes(
    coabench: Run, suite: Path, tmp_path: Path, decode: str
) -> None:
    result = stress(coabench, "--decode", decode, "--set", "broken=4", "--format", "json")
    assert result.returncode == 0, result.stderr
    rows = {row["condition"]: row for row in json.loads(result.stdout)}
    assert [*rows][:2] == ["clean", "order-rotate-1"]
    assert rows["clean"]["uar_change"] == 0
    assert [rows[name]["severity"] for name in ("brightness-2", "dark")] == [2, None]
    assert {row["status"] for row in rows.values()} == {"complete"}
    written = json.loads((tmp_path / "out" / "stress.json").read_text())
    assert [each["name"] for each in written["conditions"]] == [*rows]
    canonical = ["polite:style=please", "case", "comma"]  # what is as by default is left out
    assert written["conditions"][2]["rewrite"] == canonical
    assert rows["twice"]["change"] == " ".join(canonical)
    for name in rows:
        made = manifest(tmp_path / "out" / name)
        command = made["sessions"][0]["command"]
        alone = coabench(*command[1:-2], "--output", f"alone/{name}")
        assert alone.returncode == 0, alone.stderr
        assert made["identity"] == manifest(tmp_path / "alone" / name)["identity"]
    assert logs(tmp_path / "out") == logs(tmp_path / "alone")
    assert sum(record["status"] == "error" for record in untimed(tmp_path / "out" / "dark")) == 1


def test_images_are_looked_at_once_for_all_questions(
    coabench: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    from coabench.inference import loading

    before = loading.read_original
    monkeypatch.setattr(loading, "read_original", lambda source: read.append(source.name) or before(source))
    suite.write_text("conditions: [{rewrite: order, rotations: all}, {rewrite: polite}]")
    assert stress(coabench, "--dry-run").returncode == 0
    read.clear()
    result = stress(coabench)
    assert result.returncode == 0, result.stderr
    tried = 3  # of the clean images, before anything begins
    assert len(read) == 24 + tried


def test_a_stress_goes_on_where_its_runs_stopped(coabench: Run, suite: Path, tmp_path: Path) -> None:
    assert stress(coabench).returncode == 0
    whole = logs(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    failed = stress(coabench, "--set", "crash_after=7")
    assert failed.returncode == 1
    assert "the machine is on fire" in failed.stderr
    assert 0 < len(logs(tmp_path / "out")["clean"]) < 24
    log = tmp_path / "out" / "order-rotate-1" / "predictions.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]) + lines[2][:40])  # further back than the others, and torn
    resumed = stress(coabench)
    assert resumed.returncode == 0, resumed.stderr
    assert logs(tmp_path / "out") == whole
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")}
    again = stress(coabench)
    assert again.returncode == 0
    assert "complete already" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")} == before


def test_where_memory_runs_out_halves_are_asked(coabench: Run, suite: Path, tmp_path: Path) -> None:
    assert stress(coabench).returncode == 0
    whole = logs(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    result = stress(coabench, "--batch-size", "auto", "--set", "fits=2")
    assert result.returncode == 0, result.stderr
    assert logs(tmp_path / "out") == whole


def test_what_a_shipped_suite_cannot_do_is_left_out_and_said(coabench: Run, tmp_path: Path) -> None:
    words = ("stress", *BASE, "--suite", "occlusion", "--output", "out", *HERE, "--format", "json")
    result = coabench(*words)
    assert result.returncode == 0, result.stderr
    assert [row["condition"] for row in json.loads(result.stdout)] == ["clean", *(f"patch-{i}" for i in range(1, 6))]
    assert "sunglasses-1 is left out: the face's landmarks are not known" in result.stderr
    written = json.loads((tmp_path / "out" / "stress.json").read_text())
    assert len(written["left_out"]) == 30
    assert "landmarks" in written["left_out"][0]["reason"]
    other = coabench("stress", *BASE, "--suite", "images", "--output", "out", *HERE)
    assert other.returncode == 2
    assert "lacks conditions" in other.stderr


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("conditions: [{rewrite: ordr}]", ["conditions[0].rewrite[0]", "did you mean 'order'"]),
        ("conditions: [{rewrit: order}]", ["conditions[0]", "unknown field 'rewrit'", "did you mean 'rewrite'"]),
        ("conditions: [{transform: mirror}, {transform: mirror}]", ["several conditions have one name", "mirror"]),
        ("conditions: [{name: clean, transform: mirror}]", ["several conditions have one name"]),
        ("conditions: [{name: ../up, transform: mirror}]", ["conditions[0].name", "name a folder"]),
        ("conditions: [{name: nothing}]", ["conditions[0]: nothing is changed"]),
        ("conditions: [{transform: blur, severities: [6]}]", ["conditions[0].severities", "1 to 5"]),
        ("conditions: [{transform: grey, severities: all}]", ["'grey' has none"]),
        ("conditions: [{rewrite: case, rotations: all}]", ["only the order of options is rotated"]),
        ("conditions: []", ["there are no conditions in it"]),
        ("include: [question]", ["include[0]", "questions"]),
        ("schema: 2", ["schema 2 is unknown"]),
        ("conditions: [{transform: mask}, {rewrite: 'comma:last=yes'}]",
         ["2 of 2 conditions cannot be done", "mask:", "landmarks", "comma-last-yes:", "changes no question"]),
    ],
)  # fmt: skip
def test_a_suite_with_a_mistake_is_refused(
    coabench: Run, suite: Path, tmp_path: Path, written: str, messages: list[str]
) -> None:
    suite.write_text(written)
    result = stress(coabench)
    assert result.returncode == 2, result.stderr
    for message in messages:
        assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_wrong_names_and_folders_are_refused(coabench: Run, suite: Path, tmp_path: Path) -> None:
    result = coabench("stress", *BASE, "--suite", "occlusions", "--output", "out", *HERE)
    assert result.returncode == 2
    assert "did you mean 'occlusion'" in result.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("mine")
    strange = stress(coabench)
    assert strange.returncode == 2
    assert "holds no stress" in strange.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_several_processes_are_refused_in_words(coabench: Run, suite: Path) -> None:
    words = ("stress", *BASE, "--suite", "mine.yaml", "--output", "out", *HERE)
    result = coabench(*words, WORLD_SIZE="2", RANK="0", LOCAL_RANK="0")
    assert result.returncode != 0
    assert "without torchrun" in " ".join(result.stderr.split())


@pytest.mark.process
def test_processes_write_what_this_process_writes(coabench: Run, coabench_process: Run, suite: Path) -> None:
    assert stress(coabench).returncode == 0
    folder = suite.parent
    whole = logs(folder / "out")
    shutil.rmtree(folder / "out")
    words = ("stress", *BASE, "--suite", "mine.yaml", "--output", "out")
    result = coabench_process(*words, "--jobs", 2)
    assert result.returncode == 0, result.stderr
    assert logs(folder / "out") == whole


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_cluster_writes_what_this_process_writes(coabench: Run, coabench_process: Run, suite: Path) -> None:
    assert stress(coabench).returncode == 0
    folder = suite.parent
    whole = logs(folder / "out")
    shutil.rmtree(folder / "out")
    words = ("stress", *BASE, "--suite", "mine.yaml", "--output", "out")
    result = coabench_process(*words, "--executor", "ray")
    assert result.returncode == 0, result.stderr
    assert logs(folder / "out") == whole
