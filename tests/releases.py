"""Every job, on whatever releases of the dependencies are installed: what `make newest` and `make oldest` run.

No fixture of the other tests is used, so that pytest is all that is installed beside coabench. What the jobs answer is
what the pinned releases answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import tiny_vlms
from support.footage import PHOTOGRAPH
from support.process import start, wait_for
from support.served import Served, Viewer

Run = Callable[..., tuple[str, str]]

RIGHT = {"chain-of-affect": 21, "direct": 20, "one-shot": 20}
"""Of 22 faces, two of every label, so many are named rightly by the model that ships, in float32."""
VLMS = ("llava", "gemma3")
QUESTIONS = ("--dataset", "synthface-basic", "--strategy", "direct")
TRAINING = ("train", "--strategy", "direct", "--steps", "6", "--batch-size", "8", "--dev", "0", "--evaluations", "3",
            "--rank", "4", "--device", "cpu", "--dtype", "float32")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "COABENCH_CACHE": str(folder / "cache"), "COLUMNS": "160",
            "XDG_CONFIG_HOME": str(folder / "config")}  # fmt: skip


@pytest.fixture(scope="module")
def coabench(folder: Path, environment: dict[str, str]) -> Run:
    """Run a command that must succeed; return its output and what it said on stderr."""

    def run(*arguments: object) -> tuple[str, str]:
        command = [sys.executable, "-m", "coabench", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        assert "defect" not in done.stderr
        return done.stdout, done.stderr

    return run


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("strategy", RIGHT)
def test_evaluate(coabench: Run, folder: Path, strategy: str) -> None:
    coabench("evaluate", "--strategy", strategy, "--limit", 22, "--dtype", "float32", "--output", f"runs/{strategy}")
    made = records(folder / "runs" / strategy)
    assert len(made) == 22
    assert sum(record["prediction"] == record["target"] for record in made) == RIGHT[strategy]


def test_report_and_leaderboard(coabench: Run, folder: Path) -> None:
    coabench("report", "runs/chain-of-affect", "--images", "--output", "report.html")
    assert "<svg" in (folder / "report.html").read_text(encoding="utf-8")
    assert "chain-of-affect" in coabench("leaderboard", "runs")[0]
    assert "direct" in coabench("compare", "runs/direct", "runs/chain-of-affect")[0]


def test_a_killed_training_continues_to_the_same_adapter(
    coabench: Run, folder: Path, environment: dict[str, str]
) -> None:
    coabench(*TRAINING, "--output", "whole")
    with (folder / "killed.log").open("w") as log:
        process = start(folder, environment, *TRAINING, "--output", "killed", stdout=log, stderr=log)
        wait_for((folder / "killed" / "checkpoints" / "checkpoint-2" / "trainer_state.json").exists, process)
        process.kill()
        process.wait()
    coabench(*TRAINING, "--output", "killed")
    one, other = ((folder / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert one == other
    coabench("evaluate", "--strategy", "direct", "--limit", 4, "--adapter", "whole", "--output", "adapted")
    assert len(records(folder / "adapted")) == 4


def test_webcam_on_a_film(coabench: Run, folder: Path) -> None:
    import cv2

    face = cv2.imread(str(PHOTOGRAPH))
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (512, 512))
    for _ in range(8):
        writer.write(face)
    writer.release()
    coabench("webcam", "--source", "film.avi", "--no-window", "--log", "live.jsonl", "--record", "live.avi")
    answers = [json.loads(line) for line in (folder / "live.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any(answer.get("prediction") for answer in answers), answers
    assert (folder / "live.avi").stat().st_size > 10_000


@pytest.mark.parametrize("name", VLMS)
def test_models_of_transformers(coabench: Run, folder: Path, name: str) -> None:
    model = getattr(tiny_vlms, f"build_{name}")(folder / name)
    backbone = ("--backbone", f"transformers:{model}", "--dtype", "float32", "--set", "max_new_tokens=6")
    for decode in ("generate", "score"):
        coabench("evaluate", *backbone, *QUESTIONS, "--limit", 4, "--decode", decode, "--output", f"{name}-{decode}")
        made = records(folder / f"{name}-{decode}")
        assert [record["status"] in ("ok", "invalid") for record in made] == [True] * 4


def test_an_adapter_of_a_model_of_transformers(coabench: Run, folder: Path) -> None:
    """Trained, and merged by PEFT; its names before transformers 4.52 are understood, too."""
    from safetensors.torch import load_file, save_file

    model = ("--backbone", f"transformers:{tiny_vlms.build_llava(folder / 'base')}")
    coabench(*TRAINING, *model, "--lr", "0.1", "--dataset", "synthface-basic", "--output", "merged")
    old = shutil.copytree(folder / "merged", folder / "old", ignore=shutil.ignore_patterns("checkpoints"))
    weights = load_file(old / "adapter_model.safetensors")
    renamed = {name.replace("model.language_model.", "language_model.model.", 1): v for name, v in weights.items()}
    assert renamed.keys() != weights.keys()
    save_file(renamed, old / "adapter_model.safetensors", {"format": "pt"})
    scored = ("--decode", "score", "--dtype", "float32", "--limit", 2)
    made = []
    for name, adapter in (("none", "none"), ("merged", "merged"), ("old", "old")):
        said = coabench("evaluate", *model, *QUESTIONS, *scored, "--adapter", adapter, "--output", f"with-{name}")[1]
        assert ("earlier version" in said) == (name == "old")
        made.append([turn["scores"] for record in records(folder / f"with-{name}") for turn in record["turns"]])
    assert made[0] != made[1] == made[2]


def test_serve(folder: Path, environment: dict[str, str]) -> None:
    served = Served(["--serve", "127.0.0.1:0"], environment, folder)
    try:
        with Viewer(served.url).start() as viewer:
            viewer.send(PHOTOGRAPH.read_bytes())
            assert viewer.hear("answer")["label"]
    finally:
        assert served.end()[0] in (0, 130)
