"""Finished runs from Python: read, compared and ranked as ``coabench compare`` and ``coabench leaderboard`` do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.arguments import Name, read_argument, several
from coabench.reports.pandas_tables import read_over
from coabench.runs.result import FinishedRun
from coabench.runs.result import load_run as read_result

if TYPE_CHECKING:
    from coabench.reports.board import Leaderboard
    from coabench.reports.compare import Comparison
    from coabench.reports.compare_recipes import RecipeComparison

    RunLike = FinishedRun | Name


def load_run(directory: Name) -> FinishedRun:
    """Return the finished run of a directory, as `coabench.evaluate` returned it.

    Raises:
        UserError: there is none, it is not finished, or it is damaged.
    """
    return read_result(_path(directory, "directory"))


def compare(a: RunLike | Sequence[RunLike], b: RunLike | Sequence[RunLike]) -> Comparison | RecipeComparison:
    """Compare two runs on the same samples, as ``coabench compare`` does: is the difference more than chance?

    Args:
        a, b: a run or its directory; or several of each, which differ in nothing but a seed or the fold.

    Raises:
        UserError: one is no finished run, or they answered other samples or have other labels.
    """
    from coabench.reports.compare_recipes import compare_sides

    sides = ([run_directory(each, name) for each in several(side)] for name, side in (("a", a), ("b", b)))
    return compare_sides(*sides)


def leaderboard(
    directory: Name = "results",
    *,
    dataset: str | None = None,
    baseline: RunLike | None = None,
    over: str | Sequence[str] = (),
) -> Leaderboard:
    """Rank the complete runs at or below a folder, as ``coabench leaderboard`` does.

    Args:
        dataset: show only this data set.
        baseline: a run that the others are compared with.
        over: ``"seed"``, ``"fold"`` or both: one row for runs that differ in that only.

    Raises:
        UserError: there is no such folder, no run in it, nothing about this data set, or the baseline is no run there.
    """
    from coabench.reports.board import Leaderboard
    from coabench.reports.leaderboard import leaderboard as rank

    chosen = None if baseline is None else run_directory(baseline, "baseline")
    named = read_argument(str | None, dataset, "dataset")
    return Leaderboard(tuple(rank(_path(directory, "directory"), named, chosen, over=read_over(over))))


def run_directory(run: RunLike, name: str) -> Path:
    """Return the directory of a run that is handed over or named; *name* is that of the argument."""
    return run.directory if isinstance(run, FinishedRun) else _path(run, name)


def _path(value: Name, name: str) -> Path:
    path: Path = read_argument(Path, value, name)
    return path
