"""The leaderboard of recipes: runs that differ in nothing but a seed are one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from coabench.base import text
from coabench.base.text import interval, percent
from coabench.metrics.headline import FIGURES, UAR
from coabench.metrics.predictions import Predicted
from coabench.metrics.ranking import ALPHA, Rank, places
from coabench.metrics.statistics import Figures, holm, mean_interval, recipe_difference, recipe_spread
from coabench.render.tables import Column, Row, Section
from coabench.reports import over_folds
from coabench.reports.entry import Entry, Group

RULE = (
    "A row is a recipe: runs that differ in nothing but a seed. Mean ± standard deviation over the runs; the 95 % "
    "interval covers other seeds and other samples. A recipe is above another only if a test over both, Holm-corrected "
    f"over all pairs, says so at {100 * ALPHA:.0f} %. A single run says nothing of other seeds: it is not ranked, and "
    "its interval is that of the run."
)


_SHARED = ("dataset", "split", "samples", "fingerprint", "fold", "backbone", "model", "adapter", "strategy", "decode",
           "parser", "preparation")  # fmt: skip
"""The columns in which all runs of a recipe are alike, but for names."""


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in nothing but a seed, on the same samples."""

    entries: Sequence[Entry]

    @property
    def answers(self) -> list[Predicted]:
        return [entry.answered.predicted for entry in self.entries if entry.answered]

    @property
    def shares(self) -> Figures:
        """What each sample (or person) adds to the UAR in each run, shape (runs, units)."""
        return np.stack([run.shares for run in self.answers])

    @property
    def name(self) -> str:
        """The name of its run, or what the names of its runs begin with and a star."""
        return text.common_name([entry.row.name for entry in self.entries])

    @property
    def seeds(self) -> str:
        """The seeds of its runs; of training where they differ, else those of the run; empty where it has none."""
        rows = [entry.row for entry in self.entries]
        trained = [row.training_seed for row in rows]
        seeds = trained if len(set(trained)) > 1 else [row.seed for row in rows]
        return ", ".join(str(seed) for seed in seeds if seed is not None)

    def columns(self, rank: Rank | None) -> dict[str, Any]:
        """Return the row as programs read it."""
        first = self.entries[0].row
        row: dict[str, Any] = {
            "rank_low": rank and rank.best,
            "rank_high": rank and rank.worst,
            "leading": rank and rank.leading,
            "name": self.name,
            **{key: getattr(first, key) for key in _SHARED},
            "runs": len(self.entries),
            "seeds": self.seeds,
        }  # fmt: skip
        for figure in FIGURES:
            values = [value for e in self.entries if (value := e.row.figures[figure.key].value) is not None]
            row[figure.key] = float(np.mean(values)) if values else None
            row[f"{figure.key}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        row[f"{UAR.key}_low"], row[f"{UAR.key}_high"] = self._interval()
        row["invalid_rate"] = float(np.mean([e.row.invalid_rate or 0.0 for e in self.entries]))
        row["sources"] = [entry.row.source for entry in self.entries]
        return row

    def _interval(self) -> tuple[float | None, float | None]:
        if len(self.entries) == 1:
            return self.entries[0].row.uar[1:]
        runs = self.answers
        if runs[0].clusters is None:
            spread = recipe_spread(self.shares, runs[0].targets, runs[0].k)
        else:  # persons are the units: one class of them
            spread = recipe_spread(self.shares, np.zeros(self.shares.shape[1], dtype=np.int64), 1)
        return mean_interval(float(self.shares.sum(axis=1).mean()), spread)


def recipes_of(entries: Sequence[Entry]) -> list[Recipe]:
    """Return the recipes among runs that can be compared."""
    by_recipe: dict[str | None, list[Entry]] = {}
    for entry in entries:
        by_recipe.setdefault(entry.row.recipe, []).append(entry)
    return [Recipe(_once(own)) for own in by_recipe.values()]


def recipes_section(group: Group, entries: Sequence[Entry]) -> Section:
    """Return the table of the recipes among runs that can be compared."""
    recipes = recipes_of(entries)
    ranked = [recipe for recipe in recipes if len(recipe.entries) > 1]
    ranks = dict(zip(map(id, ranked), _ranks(ranked), strict=True))
    rows = sorted((recipe.columns(ranks.get(id(recipe))) for recipe in recipes), key=lambda row: -(row["uar"] or 0))
    columns = [
        Column("Rank", _rank, value="rank_low"),
        Column("Recipe", "name", width=30),
        Column("Strategy", _strategy, width=18, choices=True),
        Column("Runs", "runs", "right"),
        Column("UAR", _uar, width=16, value="uar"),
        *(Column(figure.heading, _Figure(figure.key), value=figure.key, wide=figure.wide) for figure in FIGURES[1:]),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        Column("Seeds", "seeds", width=12),
    ]
    pooled = any(recipe.entries[0].row.fold for recipe in recipes) and not group.fold
    return Section(columns, rows, group.title, [RULE, *([over_folds.RULE] if pooled else [])])


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without copies: the same seeds and the same predictions are the same run."""
    seen: dict[tuple[Any, ...], Entry] = {}
    for entry in entries:
        if entry.answered:
            predictions = entry.answered.predicted.predictions.tobytes()
            seen.setdefault((entry.row.seed, entry.row.training_seed, predictions), entry)
    return list(seen.values())


def _ranks(recipes: Sequence[Recipe]) -> list[Rank]:
    if not recipes:
        return []
    shares, sizes = [recipe.shares for recipe in recipes], recipes[0].answers[0].sizes
    pairs = list(combinations(range(len(recipes)), 2))
    p = np.ones((len(recipes), len(recipes)))
    for (i, j), adjusted in zip(
        pairs, holm([recipe_difference(shares[i], shares[j], sizes).p for i, j in pairs]), strict=True
    ):
        p[i, j] = p[j, i] = adjusted
    return places([float(own.sum(axis=1).mean()) for own in shares], p < ALPHA)


@dataclass(frozen=True)
class _Figure:
    """Shows mean and standard deviation of a figure."""

    key: str

    def __call__(self, row: Row) -> str:
        return _spread(row, self.key)


def _spread(row: Mapping[str, Any], key: str) -> str:
    spread = row[f"{key}_sd"]
    return percent(row[key]) + ("" if spread is None else f" ± {percent(spread)}")


def _strategy(row: Row) -> str:
    return ", ".join(filter(None, [row["strategy"], row["decode"], row["preparation"]]))


def _uar(row: Row) -> str:
    low, high = row["uar_low"], row["uar_high"]
    return _spread(row, "uar") + ("" if low is None else f" {interval(percent(low, 1), percent(high, 1))}")


def _rank(row: Row) -> str:
    return text.rank(row["rank_low"], row["rank_high"], row["leading"])
