"""What is printed fits the terminal, and is whole where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.process import Run

LINES = (
    "list strategies", "datasets list", "datasets show raf-db-compound", "plugins list", "power --classes 50,20,10",
    "score --list-formats", "compare one two", "leaderboard .",
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_fit_the_terminal(coabench: Run, width: int) -> None:
    for name, strategy in (("one", "direct"), ("two", "chain-of-affect")):
        done = coabench("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--strategy", strategy,
                        "--output", name, COLUMNS=str(width))  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert too_long(done.stdout, width) == []
    for line in LINES:
        shown = coabench(*line.split(), COLUMNS=str(width))
        assert shown.returncode == 0, shown.stderr
        assert too_long(shown.stdout, width) == [], line


def too_long(text: str, width: int) -> list[str]:
    """Return the lines that do not fit, but for a path with its name, which stays whole."""
    return [line for line in text.splitlines() if len(line) > width and len(line.split()) > 2]


def test_what_is_piped_is_whole(coabench: Run) -> None:
    piped = coabench("datasets", "list", COLUMNS="").stdout.splitlines()
    assert max(map(len, piped)) > 80
    assert len(piped) == 2 + len(coabench("datasets", "list", "--format", "csv").stdout.splitlines()) - 1
    narrow = coabench("datasets", "list", COLUMNS="60").stdout
    assert "Left out, for want of width" in narrow
    assert "--format csv" in narrow


def test_a_file_is_whole(coabench: Run, tmp_path: Path) -> None:
    command = ("power", "--classes", "50,20,10")
    assert coabench(*command, "--output", "out.txt", COLUMNS="30").returncode == 0
    assert (tmp_path / "out.txt").read_text() == coabench(*command, COLUMNS="").stdout


@pytest.mark.parametrize("columns", ["9" * 5000, "0", "-5", "", "²", "wide"])
def test_what_is_no_width_is_none(coabench: Run, columns: str) -> None:
    """Rich reads the variable, too, as a progress bar begins."""
    shown = coabench("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--limit", "2", COLUMNS=columns)
    assert shown.returncode == 0, shown.stderr
    listed = coabench("datasets", "list", COLUMNS=columns).stdout
    assert "Left out" not in listed
    assert max(map(len, listed.splitlines())) < 10_000


def test_the_narrowest_width_leaves_words_whole(coabench: Run) -> None:
    lines = coabench("datasets", "show", "raf-db-compound", COLUMNS="1").stdout
    assert lines == coabench("datasets", "show", "raf-db-compound", COLUMNS="20").stdout
    assert "compound" in lines
