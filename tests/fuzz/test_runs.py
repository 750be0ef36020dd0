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

EVALUATE = ("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--set", "count=6", "--strategy")
GOOD = Path("runs", "good")
MADE = {
    GOOD: ("chain-of-affect",),
    Path("runs", "scored"): ("direct", "--set", "always=Fear", "--decode", "score"),
    Path("runs", "free"): ("chain-of-affect", "--set", "noise=false"),
}
"""Run -> what it was made with."""
OTHERS = tuple(run for run in MADE if run != GOOD)


@cache
def template() -> Path:
    """Return a folder with the runs, made once."""
    folder = Path(mkdtemp())
    for run, more in MADE.items():
        assert command(folder, [*EVALUATE, *more, "--output", run], {}).returncode == 0
    return folder


def read(attempts: Attempts, run: Path, name: str, content: bytes) -> None:
    """Let every reader of runs read one in which a file has this content."""
    with attempts.folder() as folder:
        shutil.copytree(template() / "runs", folder / "runs")
        (folder / run / name).write_bytes(content)
        code, said = attempts.run(folder, "leaderboard", "runs", "--format", "html", "--output", "page.html")
        assert code == 0, f"one damaged run hides the others: {said}"
        _, said = attempts.run(folder, "leaderboard", "runs")
        assert "good" in said, f"one damaged run hides the others: {said}"
        attempts.run(folder, "compare", GOOD, run, "--format", "json")
        attempts.run(folder, "report", run, "--output", "report.html")
        attempts.run(folder, "score", run, "--parser", "standard", "--output", "parsed")
        attempts.run(folder, *EVALUATE, *MADE[run], "--output", run)


def valid(run: Path, name: str) -> Any:
    """Return the content of a file of a run as these commands write it."""
    text = (template() / run / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)


def files(name: str) -> st.SearchStrategy[tuple[Path, bytes]]:
    """Return a strategy of runs, each with what the file of this name holds."""

    def contents(run: Path) -> st.SearchStrategy[bytes]:
        data = valid(run, name)
        if name.endswith(".jsonl"):
            return mutated(data).map(lines) | damaged(lines(data))
        return json_files(data)

    return st.deferred(lambda: st.sampled_from(OTHERS).flatmap(lambda run: st.tuples(st.just(run), contents(run))))


def lines(records: Any) -> bytes:
    return b"".join(json_bytes(record) + b"\n" for record in records) if isinstance(records, list) else b""


@fuzz(0.05, manifest=files("run.json"))
def test_manifests(attempts: Attempts, manifest: tuple[Path, bytes]) -> None:
    read(attempts, manifest[0], "run.json", manifest[1])


@fuzz(0.04, figures=files("metrics.json"))
def test_figures(attempts: Attempts, figures: tuple[Path, bytes]) -> None:
    read(attempts, figures[0], "metrics.json", figures[1])


@fuzz(0.05, log=files("predictions.jsonl"))
def test_logs(attempts: Attempts, log: tuple[Path, bytes]) -> None:
    read(attempts, log[0], "predictions.jsonl", log[1])


@fuzz(0.03, log=files("predictions.jsonl"))
def test_replayed_logs(attempts: Attempts, log: tuple[Path, bytes]) -> None:
    run, content = log
    with attempts.folder() as folder:
        shutil.copytree(template() / run, folder / "logged")
        (folder / "logged" / "predictions.jsonl").write_bytes(content)
        asked = [word for word in MADE[run] if "=" not in word and word != "--set"]
        attempts.run(folder, "evaluate", "--backbone", "replay:logged", "--dataset", "drawn", "--set", "count=6",
                     "--strategy", *asked, "--output", "run")  # fmt: skip


NAMES = st.binary(min_size=1, max_size=20) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
).map(os.fsencode)


@fuzz(0.01, name=NAMES.filter(lambda name: not set(name) & {0, 0x2F} and name not in (b".", b"..")))
def test_names_of_runs(attempts: Attempts, name: bytes) -> None:
    """Any name that the file system takes."""
    with attempts.folder() as folder:
        shutil.copytree(template() / "runs", folder / "runs")
        run = Path("runs", os.fsdecode(name))
        shutil.copytree(folder / GOOD, folder / run, dirs_exist_ok=True)
        code, said = attempts.run(folder, "leaderboard", "runs")
        assert code == 0, said
        attempts.run(folder, "leaderboard", "runs", "--format", "html", "--output", "page.html")
        attempts.run(folder, "report", run, "--output", "report.html")
        attempts.run(folder, "compare", run, GOOD)
