"""Runs as pandas tables, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame


OVER = ("seed", "fold")
COMPARED = ["rank_low", "rank_high", "leading", "difference", "difference_low", "difference_high", "p"]
"""Columns that depend on what is compared."""


def load_runs(directory: str | PathLike[str] = "results", over: str | Sequence[str] = ()) -> DataFrame:
    """Return the runs at or below *directory*, one per row, sorted by path.

    The columns are those of ``coabench leaderboard --format csv`` (proportions within 0…1) but for ranks and
    differences, which depend on what is compared; *options* tells runs of the same names apart. *kind* is ``run``, or
    ``not ranked`` for a run that is partial, failed or damaged; then *note* says why.

    Args:
        over: ``"fold"`` puts the runs of all folds of a split together: each sample once. ``"seed"`` makes runs that
            differ in nothing but a seed one row, as ``coabench leaderboard --over seed`` does: *uar* is their mean,
            *uar_sd* the standard deviation, *runs* how many they are, *uar_low* and *uar_high* the interval over other
            seeds and other samples; runs that are not ranked are left out. ``("fold", "seed")`` does both.

    Raises:
        UserError: there is no such folder, or no run in it.
    """
    wanted = read_over(over)
    from coabench.reports.differing import distinguish
    from coabench.reports.entries import read_entries
    from coabench.reports.leaderboard import comparable
    from coabench.reports.over_seeds import recipes_of
    from coabench.runs.frames import frame
    from coabench.runs.metrics import headlines

    entries = read_entries(Path(directory))
    if wanted:
        entries, groups = comparable(entries, wanted)
    if "seed" in wanted:
        recipes = [recipe.columns(None) for group in sorted(groups) for recipe in recipes_of(groups[group])]
        return frame(recipes).drop(columns=COMPARED, errors="ignore")
    rows = distinguish([entry.row for entry in entries])
    figures = headlines({key for row in rows for key in row.figures})
    return frame([row.columns(figures) for row in rows]).drop(columns=COMPARED)


def read_over(over: str | Sequence[str]) -> set[str]:
    """Return over what runs are put together; `UserError` for anything but what is in `OVER`."""
    wanted = {over} if isinstance(over, str) else {*over}
    if unknown := wanted - {*OVER}:
        raise UserError(f"over={unknown.pop()!r}: there is no such thing", expected=" or ".join(OVER))
    return wanted


def load_records(run: str | PathLike[str]) -> DataFrame:
    """Return the records of a run, one sample per row, in the order of the log.

    Columns:

    - ``id``, ``image``, ``target``, ``prediction``, ``status``, ``reason``, ``seconds``, and ``correct``, a bool.
    - ``confidence``: the model's in its answers, within 0…1; None without ``--decode score``.
    - ``response.<question>``, ``label.<question>`` for every question that was asked, and
      ``scores.<question>.<option>``, natural-log probabilities, for every one that was scored.
    - ``attributes.<name>`` for what the data set knows, ``votes.<label>`` where it has the votes of annotators.

    Raises:
        UserError: *run* is no run directory, or its log is damaged.
    """
    from coabench.runs.frames import records_frame
    from coabench.runs.run import read_manifest, read_records

    read_manifest(Path(run))
    return records_frame(read_records(Path(run)))
