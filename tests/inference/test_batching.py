"""``--batch-size auto``: grows while that pays, shrinks where memory runs out, and changes no answer."""

import json
from pathlib import Path

import pytest
from support.process import Run

from coabench.inference.batching import FIRST, MOST, Auto

BASE = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn")


def settled(seconds_a_batch: list[float] | None = None, fits: int = 10_000) -> int:
    """Let the sizer run on a machine where a batch of n takes 1 + n / 10 seconds up to 64, and n / 8 beyond."""
    sizer = Auto()
    for _ in range(100):
        size = sizer.size
        while size > fits:
            assert sizer.shrink(size)
            size = sizer.size
        sizer.observe(size, 1 + size / 10 if size <= 64 else size / 8)
    return sizer.size


def test_it_grows_to_the_fastest_size() -> None:
    assert settled() == 64


@pytest.mark.parametrize("fits", [1, 3, 20, 33])
def test_it_stays_below_what_does_not_fit(fits: int) -> None:
    assert 1 <= settled(fits=fits) <= fits
    assert settled(fits=fits) > fits // 4


def test_it_has_bounds() -> None:
    sizer = Auto()
    for _ in range(100):
        sizer.observe(sizer.size, 1.0)  # a batch costs the same whatever its size
    assert sizer.size == MOST
    assert not Auto().shrink(1)
    slow = Auto()
    for _ in range(10):
        slow.observe(slow.size, float(slow.size))
    assert slow.size == FIRST


def test_memory_that_runs_out_costs_no_work_and_changes_nothing(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "whole").returncode == 0
    result = coabench(*BASE, "--output", "out", "--batch-size", "auto", "--set", "fits=3")
    assert result.returncode == 0, result.stderr
    logs = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]
        for text in ((tmp_path / run / "predictions.jsonl").read_text() for run in ("whole", "out"))
    ]
    assert logs[0] == logs[1]
    [session] = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"]
    assert session["batch_size"] == "auto"
    assert session["last_batch_size"] <= 3


def test_a_size_that_was_asked_for_is_kept_and_told(coabench: Run) -> None:
    result = coabench(*BASE, "--output", "out", "--batch-size", "4", "--set", "fits=3")
    assert result.returncode == 1
    assert "lower --batch-size" in result.stderr


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5"])
def test_a_size_that_is_none_is_refused(coabench: Run, tmp_path: Path, size: str) -> None:
    result = coabench(*BASE, "--output", "out", "--batch-size", size)
    assert result.returncode == 2
    assert "auto" in result.stderr
    assert not (tmp_path / "out").exists()
