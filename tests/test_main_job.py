"""The main job as a researcher does it: an installed wheel, another folder, RAF-DB's layout, a real checkpoint."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.in_process import in_process
from support.process import ROOT, Run
from support.rafdb_tree import REAL_COUNTS, make_rafdb

EVALUATE = ("evaluate", "--strategy", "chain-of-affect", "--dataset", "raf-db-compound", "--data-root", "RAF-DB")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, oracle: Path) -> Path:
    """A researcher's folder, with RAF-DB and nothing else in it."""
    folder = tmp_path_factory.mktemp("desk")
    make_rafdb(folder / "RAF-DB", basic=(1, 1), compound=(1, 2), faces_from=oracle / "faces")
    return folder


@pytest.fixture(scope="module")
def run(wheel: Path, desk: Path) -> Run:
    """Run ``coabench`` as the wheel installed it, far from any checkout."""

    def coabench(*arguments: object) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PYTHONPATH": str(wheel), "HF_HUB_OFFLINE": "1", "COLUMNS": "160"}
        command = [sys.executable, "-m", "coabench", *map(str, arguments)]
        return subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False)

    return coabench


@pytest.fixture(scope="module")
def here(desk: Path) -> Run:
    """Run ``coabench`` within this process, where the installation is not the point: its files are the checkout's."""
    return in_process(desk, [], {"COLUMNS": "160"})


@pytest.fixture(scope="module")
def model(oracle: Path) -> tuple[str, ...]:
    return ("--backbone", f"phi-3.5-vision:{oracle / 'tiny'}", "--adapter", str(oracle / "adapter"))


def test_the_wheel_carries_everything(run: Run, wheel: Path) -> None:
    listed = run("list", "--format", "json")
    names = {row["name"] for row in json.loads(listed.stdout)}
    assert {"phi-3.5-vision", "tiny", "chain-of-affect", "direct", "one-shot", "raf-db-basic"} <= names
    assert {"synthface-basic", "synthface-compound"} <= names
    shipped = wheel / "coabench" / "_shipped"
    for where, installed in ((ROOT / "coabench", wheel / "coabench"), (ROOT / "prompts", shipped / "prompts")):
        files = {path.relative_to(where): path for path in where.rglob("*") if path.suffix in (".py", ".yaml")}
        assert files
        assert [name for name, path in files.items() if path.read_bytes() != (installed / name).read_bytes()] == []
    assert "Fear" in run("datasets", "show", "raf-db-compound").stdout
    cards = {row["name"] for row in json.loads(run("datasets", "list", "--format", "json").stdout)}
    assert {"raf-db-basic", "raf-db-compound", "synthface-basic", "ferplus", "raf-ce"} <= cards


def test_the_embedded_default_runs_from_the_wheel(run: Run, desk: Path) -> None:
    result = run("evaluate", "--limit", 3, "--output", "embedded")
    assert result.returncode == 0, result.stderr
    assert len((desk / "embedded" / "predictions.jsonl").read_text().splitlines()) == 3


def test_verify_names_what_is_missing(run: Run) -> None:
    result = run("datasets", "verify", "raf-db-compound", "--data-root", "RAF-DB")
    assert result.returncode == 1  # two images per class are not all of RAF-DB
    assert "22 images, the card says 792" in result.stdout
    refused = run("datasets", "verify", "raf-db-compound", "--data-root", "elsewhere")
    assert refused.returncode == 2
    assert "is no folder" in refused.stderr


def test_verify_passes_a_complete_copy_but_for_the_two_drawings_that_serve_for_all(run: Run, tmp_path: Path) -> None:
    make_rafdb(tmp_path, counts={"compound": REAL_COUNTS["compound"]}, distinct=2, annotations=False)
    result = run("datasets", "verify", "raf-db-compound", "--data-root", tmp_path, "--pairs", tmp_path / "pairs.csv")
    assert result.returncode == 1
    wrong = [line for line in result.stdout.splitlines() if line.startswith(("error", "warning"))]
    assert wrong == [
        "error    identical images with several labels: 2",
        "error    identical images in several splits: 2",
    ]


def test_evaluate_then_leaderboard(run: Run, model: tuple[str, ...], desk: Path) -> None:
    result = run(*EVALUATE, *model, "--batch-size", 8, "--output", "results/coa")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (desk / "results/coa/predictions.jsonl").read_text().splitlines()]
    assert len(records) == 22
    assert {r["status"] for r in records} <= {"ok", "invalid"}
    second = [turn for r in records for turn in r["turns"] if turn["name"] == "secondary"]
    assert second
    assert all(turn["cached_tokens"] > 757 for turn in second)  # the image is not looked at again
    table = run("leaderboard", "results")
    assert table.returncode == 0, table.stderr
    assert "chain-of-affect" in table.stdout
    assert "Chain-of-Affect" in table.stdout  # the published row
    rows = list(csv.DictReader(run("leaderboard", "results", "--format", "csv").stdout.splitlines()))
    assert [row["kind"] for row in rows].count("run") == 1
    again = run(*EVALUATE, *model, "--batch-size", 8, "--output", "results/coa")
    assert "already complete" in again.stderr


def test_batch_size_changes_no_answer(here: Run, model: tuple[str, ...], desk: Path) -> None:
    answers = []
    for size in (1, 3, 8):
        output = desk / f"batch-{size}"
        result = here(*EVALUATE, *model, "--dtype", "float32", "--limit", 11, "--batch-size", size, "--output", output)
        assert result.returncode == 0, result.stderr
        records = [json.loads(line) for line in (output / "predictions.jsonl").read_text().splitlines()]
        answers.append([(r["id"], r["prediction"], [t["response"] for t in r["turns"]]) for r in records])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("strategy", "dataset", "decode"),
    [
        ("chain-of-affect:published", "raf-db-basic", "generate"),
        ("direct", "raf-db-compound", "generate"),
        ("direct", "raf-db-basic", "score"),
        ("one-shot", "raf-db-compound", "score"),
        ("one-shot", "raf-db-basic", "generate"),
    ],
)
def test_every_strategy_on_both_label_spaces(
    here: Run, model: tuple[str, ...], strategy: str, dataset: str, decode: str
) -> None:
    result = here(
        "evaluate", *model, "--strategy", strategy, "--dataset", dataset, "--data-root", "RAF-DB", "--decode", decode,
        "--set", "num_crops=1", "--limit", 4,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "UAR" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--backbone", "phi-3.5-vision"), "needs a model"),
        (("--backbone", "phi-3.5-vision:./nowhere"), "nowhere"),
        (("--backbone", "phi-3.5-vision:RAF-DB"), "config.json"),
        (("--adapter", "./nowhere"), "nowhere"),
        (("--set", "num_crops=0"), "num_crops"),
        (("--dtype", "float8"), "float8"),
        (("--device", "quantum"), "quantum"),
    ],
)
def test_a_wrong_model_is_told_before_anything_is_written(
    here: Run, model: tuple[str, ...], desk: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = here(*EVALUATE, *model, "--output", "never", *arguments)
    assert result.returncode == 2, result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not (desk / "never").exists()
