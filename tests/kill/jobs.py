"""The jobs that are killed: small, and with a result that can be compared bit for bit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coabench_tiny.checkpoint import write as write_model
from support.runs import metrics, untimed
from support.sweeps import SHEET, logs

from coabench.live.recording import Recording, count_frames

CLI = ("-m", "coabench")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *CLI)
EVALUATE = ("evaluate", "--limit", "28", "--batch-size", "4", "--output", "out")
TRAIN = ("--dataset", "drawn", "--set", "num_crops=1", "--device", "cpu", "--dtype", "float32", "--dev", "0", "--steps",
         "8", "--batch-size", "2", "--rank", "4", "--lr", "1e-3", "--evaluations", "4", "--output", "out")  # fmt: skip
WEBCAM = ("webcam", "--no-window", "--backbone", "scripted:a", "--detector", "brightest", "--source", "../in.mp4",
          "--set", "backbone.delay=0.03", "--record", "out.mkv", "--log", "out.jsonl")  # fmt: skip
STRESS = ("stress", "--backbone", "scripted", "--dataset", "drawn", "--suite", "../conditions.yaml", "--batch-size",
          "2", "--set", "delay=0.03", "--output", "out")  # fmt: skip
CONDITIONS = "conditions: [{rewrite: 'order:rotate=1'}, {transform: brightness, severities: [2, 4]}]"
SLOW = SHEET.replace("batch_size: 4", "batch_size: 4, set: {delay: 0.03}")
FLUSHED = 600_000
"""Bytes of a recording from which some of it can be played, whatever was still in memory."""


@dataclass(frozen=True)
class Job:
    """A job that can be killed in a folder of its own, and run there again.

    Attributes:
        words: the command, after the interpreter.
        total: how far `progress` goes.
        progress: how far the job in a folder is: records, lines, cache entries.
        result: what is compared, of a folder and what the command printed.
        weight: its part of the kills.
        prepare: what a folder needs before.
        inspect: checks what a kill has left, and makes room for the same command.
    """

    words: tuple[str, ...]
    total: int
    progress: Callable[[Path], int]
    result: Callable[[Path, str], Any]
    weight: int
    prepare: Callable[[Path], object] = lambda folder: None
    inspect: Callable[[Path], object] = lambda folder: None


def make_jobs(base: Path, environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Job]:
    """Return the jobs of these names; what they share is written into *base*, the parent of their folders."""
    return {name: JOBS[name](base, environment) for name in names}


def evaluate(base: Path, environment: Mapping[str, str]) -> Job:
    return Job((*CLI, *EVALUATE), 28, _recorded, _records, 14, inspect=_tear)


def torchrun(base: Path, environment: Mapping[str, str]) -> Job:
    return Job((*TORCHRUN, *EVALUATE, "--batch-size", "1"), 28, _recorded, _records, 8)


def train(base: Path, environment: Mapping[str, str]) -> Job:
    write_model(base / "model", seed=5)
    words = (*CLI, "train", "--backbone", f"phi-3.5-vision:{base / 'model'}", *TRAIN)
    return Job(words, 8, lambda folder: _lines(folder / "out" / "training.jsonl"), _weights, 10)


def sweep(base: Path, environment: Mapping[str, str]) -> Job:
    return Job((*CLI, "sweep", "sheet.yaml", "--jobs", "2"), 160, _swept, _sweep, 8, _write_sheet)


def stress(base: Path, environment: Mapping[str, str]) -> Job:
    """Three jobs, of which two share a look, and one process for them."""
    (base / "conditions.yaml").write_text(CONDITIONS)
    return Job((*CLI, *STRESS), 96, _stressed, lambda folder, _: logs(folder / "out"), 8)


def ray(base: Path, environment: Mapping[str, str]) -> Job:
    return Job((*CLI, "sweep", "sheet.yaml", "--executor", "ray"), 160, _swept, _sweep, 3, _write_sheet)


def leaderboard(base: Path, environment: Mapping[str, str]) -> Job:
    run = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", str(base / "runs" / "0"))
    subprocess.run([sys.executable, *CLI, *run], env=environment, check=True, capture_output=True)
    for number in range(1, 30):
        shutil.copytree(base / "runs" / "0", base / "runs" / str(number))
    words = (*CLI, "leaderboard", str(base / "runs"), "--format", "json")
    return Job(words, 30, lambda folder: len(list((folder / "cache").glob("*.json"))), lambda _, printed: printed, 8)


def webcam(base: Path, environment: Mapping[str, str]) -> Job:
    noise = np.random.default_rng(0)
    with Recording(base / "in.mp4", 10.0) as film:
        for number in range(40):
            picture = noise.integers(0, 90, (240, 320, 3), dtype=np.uint8)
            picture[60:140, 10 + 3 * number : 90 + 3 * number] = 150 + number
            film.write(picture, number / 10)
    return Job((*CLI, *WEBCAM), 41, lambda folder: _lines(folder / "out.jsonl"), _session, 8, inspect=_put_by)


JOBS: dict[str, Callable[[Path, Mapping[str, str]], Job]] = {
    "evaluate": evaluate, "train": train, "torchrun": torchrun, "sweep": sweep, "stress": stress, "ray": ray,
    "leaderboard": leaderboard, "webcam": webcam,
}  # fmt: skip


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _recorded(folder: Path) -> int:
    return sum(map(_lines, [folder / "out" / "predictions.jsonl", *(folder / "out" / "parts").glob("*.jsonl")]))


def _records(folder: Path, _: str) -> Any:
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        ".lock", "metrics.json", "predictions.jsonl", "run.json",
    ]  # fmt: skip
    return untimed(folder / "out"), {**metrics(folder / "out"), "log_sha256": None}  # the log has times


def _tear(folder: Path) -> None:
    """Leave a torn line, as a kill in the middle of writing does, which is rarer than this suite can wait for."""
    log = folder / "out" / "predictions.jsonl"
    if log.exists() and not (folder / "out" / "metrics.json").exists():
        with log.open("ab") as file:
            file.write(b'{"id": "synth')


def _weights(folder: Path, _: str) -> Any:
    lines = [json.loads(line) for line in (folder / "out" / "training.jsonl").read_text().splitlines()]
    log = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    return (folder / "out" / "adapter_model.safetensors").read_bytes(), log


def _write_sheet(folder: Path) -> None:
    (folder / "sheet.yaml").write_text(SLOW)


def _swept(folder: Path) -> int:
    return sum(map(_lines, (folder / "results" / "four").glob("*/predictions.jsonl")))


def _stressed(folder: Path) -> int:
    return sum(map(_lines, (folder / "out").glob("*/predictions.jsonl")))


def _sweep(folder: Path, _: str) -> Any:
    return logs(folder / "results" / "four")


def _answers(log: Path) -> list[dict[str, Any]]:
    """Return the whole lines after the header, without what is timed, and what the machine bears."""
    lines = [json.loads(line) for line in log.read_bytes().split(b"\n")[1:-1]]
    timed = {"seconds", "detect", "wait"}
    return [{k: v for k, v in line.items() if k not in timed} for line in lines if line.get("kind") != "gauges"]


def _session(folder: Path, _: str) -> Any:
    answers = _answers(folder / "out.jsonl")
    killed = folder / "killed.jsonl"
    if killed.exists() and killed.stat().st_size:
        before = _answers(killed)
        assert before == answers[: len(before)], "the log of the killed session is no beginning of the whole one"
    return answers, count_frames(folder / "out.mkv")


def _put_by(folder: Path) -> None:
    """Check that the killed recording can be played; put it and the log by, as the command asks for new files."""
    video = folder / "out.mkv"
    if video.exists() and video.stat().st_size > FLUSHED:
        assert count_frames(video) > 0, f"of {video.stat().st_size} bytes of a killed recording nothing can be played"
    for path in folder.glob("out.*"):
        path.rename(path.with_stem("killed"))
