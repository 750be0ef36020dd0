"""What jobs have left, damaged: manifests, figures, logs."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import strategies as st
from support.in_process import command

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, json_bytes, json_files, mutated

EVALUATE = ("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--set", "count=6", "--decode", "score")
GOOD, OTHER = Path("runs", "good"), Path("runs", "other")


@cache
def template() -> Path:
    """Return a folder with two runs, made once."""
    folder = Path(mkdtemp())
    for run, more in ((GOOD, ("--strategy", "direct")), (OTHER, ("--strategy", "direct", "--set", "always=Fear"))):
        assert command(folder, [*EVALUATE, *more, "--output", run], {}).returncode == 0
    return folder


def read(attempts: Attempts, name: str, content: bytes) -> None:
    """Let every reader of runs read one in which a file has this content."""
    with attempts.folder() as folder:
        shutil.copytree(template() / "runs", folder / "runs")
        (folder / OTHER / name).write_bytes(content)
        code, said = attempts.run(folder, "leaderboard", "runs", "--format", "html", "--output", "page.html")
        assert code == 0, f"one damaged run hides the others: {said}"
        _, said = attempts.run(folder, "leaderboard", "runs")
        assert "good" in said, f"one damaged run hides the others: {said}"
        attempts.run(folder, "compare", GOOD, OTHER, "--format", "json")
        attempts.run(folder, "report", OTHER, "--output", "report.html")
        attempts.run(folder, "score", OTHER, "--parser", "standard", "--output", "scored")
        attempts.run(folder, *EVALUATE, "--strategy", "direct", "--set", "always=Fear", "--output", OTHER)


def valid(name: str) -> Any:
    """Return the content of a file of a run as these commands write it."""
    text = (template() / OTHER / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)


@fuzz(0.05, manifest=st.deferred(lambda: json_files(valid("run.json"))))
def test_manifests(attempts: Attempts, manifest: bytes) -> None:
    read(attempts, "run.json", manifest)


@fuzz(0.04, figures=st.deferred(lambda: json_files(valid("metrics.json"))))
def test_figures(attempts: Attempts, figures: bytes) -> None:
    read(attempts, "metrics.json", figures)


def lines(records: Any) -> bytes:
    return b"".join(json_bytes(record) + b"\n" for record in records) if isinstance(records, list) else b""


def logs() -> st.SearchStrategy[bytes]:
    records = valid("predictions.jsonl")
    return mutated(records).map(lines) | damaged(lines(records))


@fuzz(0.05, log=st.deferred(logs))
def test_logs(attempts: Attempts, log: bytes) -> None:
    read(attempts, "predictions.jsonl", log)


@fuzz(0.03, log=st.deferred(logs))
def test_replayed_logs(attempts: Attempts, log: bytes) -> None:
    with attempts.folder() as folder:
        shutil.copytree(template() / OTHER, folder / "logged")
        (folder / "logged" / "predictions.jsonl").write_bytes(log)
        attempts.run(folder, "evaluate", "--backbone", "replay:logged", "--dataset", "drawn", "--set", "count=6",
                     "--strategy", "direct", "--output", "run")  # fmt: skip


NAMES = st.binary(min_size=1, max_size=20) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
).map(os.fsencode)


@fuzz(0.01, name=NAMES.filter(lambda name: not set(name) & {0, 0x2F} and name not in (b".", b"..")))
def test_names_of_runs(attempts: Attempts, name: bytes) -> None:
    """Any name that the file system takes."""
    with attempts.folder() as folder:
        shutil.copytree(template() / "runs", folder / "runs")
        run = Path("runs", os.fsdecode(name))
        shutil.copytree(folder / OTHER, folder / run, dirs_exist_ok=True)
        code, said = attempts.run(folder, "leaderboard", "runs")
        assert code == 0, said
        attempts.run(folder, "leaderboard", "runs", "--format", "html", "--output", "page.html")
        attempts.run(folder, "report", run, "--output", "report.html")
        attempts.run(folder, "compare", run, GOOD)
