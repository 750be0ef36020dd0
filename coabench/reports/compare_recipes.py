"""The compare job for recipes: several runs of each, which differ in nothing but a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coabench.base.text import common_name, difference, interval, p_equals, p_value, percent, plural, signed
from coabench.errors import UserError
from coabench.metrics.predictions import Predicted
from coabench.metrics.ranking import ALPHA
from coabench.metrics.statistics import TESTABLE, Difference, Figures, holm, recipe_difference
from coabench.render.tables import Column, Row, Section, render_fragment
from coabench.reports.aligned import align
from coabench.reports.compare import Comparison, compare, compare_runs, plot_differences
from coabench.reports.over_folds import pooled_notes, read_pooled
from coabench.reports.side import Side
from coabench.runs.finished import RecordedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEEDS = ("seed", "backbone.adapter")
"""What the settings begin with in which the runs of a recipe may differ: seeds, and the weights trained with them."""


@dataclass(frozen=True)
class RecipeFigure:
    """A figure of two recipes: means and standard deviations over their runs, all proportions; *p* is two-sided.

    *figure* is ``UAR``, ``WAR`` or ``recall``, the last with its *label*; the p-values of those are Holm-corrected.
    """

    figure: str
    label: str | None
    n: int
    a: float
    a_sd: float
    b: float
    b_sd: float
    difference: float
    low: float
    high: float
    p: float
    differing: int


@dataclass(frozen=True, repr=False)
class RecipeComparison:
    """Two recipes on the same samples.

    Attributes:
        a, b: the names of the recipes: what the names of their runs begin with.
        runs_a, runs_b: run -> UAR.
        figures: UAR, WAR, then the recall of each label that has samples.
        subjects: how many persons are shown; None where samples are independent.
        notes: what a reader must know.
    """

    a: str
    b: str
    samples: int
    runs_a: dict[str, float]
    runs_b: dict[str, float]
    figures: tuple[RecipeFigure, ...]
    subjects: int | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The result in plain words."""
        first = self.figures[0]
        over = f"over {len(self.runs_a)} and {plural(len(self.runs_b), 'run')}"
        size = f"{100 * abs(first.difference):.2f} points of UAR"
        evidence = f"95 % interval {interval(signed(first.low), signed(first.high))}, {p_equals(first.p)}"
        if first.differing < TESTABLE:
            return f"Too few to test: the recipes differ on {plural(first.differing, 'sample')}."
        if first.p < ALPHA:
            better, worse = (self.a, self.b) if first.difference > 0 else (self.b, self.a)
            return f"The recipe {better} is better than {worse} by {size} {over} ({evidence})."
        return f"No significant difference: {size} apart {over} is within chance ({evidence})."

    def plot_comparison(self, axes: Axes | None = None) -> Axes:
        """Draw the differences; see `coabench.reports.compare.plot_differences`."""
        return plot_differences(self, axes)

    def __repr__(self) -> str:
        return f"<comparison of {self.a} with {self.b}: {self.verdict}>"

    def _repr_html_(self) -> str:
        return render_fragment(self.sections())

    def as_json(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        return {**asdict(self), "verdict": self.verdict}

    def sections(self, _: int = 0) -> list[Section]:
        """Return the tables for people: the figures, and the UAR of every run; no samples, as `Comparison` does."""
        runs = [
            {"recipe": side, "run": run, "uar": uar}
            for side, own in (("A", self.runs_a), ("B", self.runs_b))
            for run, uar in own.items()
        ]
        columns = [
            Column("Recipe", "recipe"),
            Column("Run", "run"),
            Column("UAR", lambda row: percent(row["uar"]), "right", value="uar"),
        ]
        return [self.figures_section(), Section(columns, runs, "Their runs")]

    def figures_section(self) -> Section:
        """Return the table of figures."""
        columns = [
            Column("Figure", lambda row: row["label"] or row["figure"]),
            Column("n", "n", "right"),
            Column("A", lambda row: _mean(row, "a"), "right", value="a"),
            Column("B", lambda row: _mean(row, "b"), "right", value="b"),
            Column("A − B", _difference, value="difference"),
            Column("p", lambda row: p_value(row["p"]), "right", value="p"),
        ]
        notes = [
            self.verdict,
            f"A: {self.a}, {plural(len(self.runs_a), 'run')}. B: {self.b}, {plural(len(self.runs_b), 'run')}. "
            "Mean ± standard deviation over the runs, in %; differences in points with 95 % intervals that cover other "
            "seeds and other samples. The p-values of the recalls are Holm-corrected over the labels, their intervals "
            "are not.",
            *self.notes,
        ]
        return Section(columns, [asdict(figure) for figure in self.figures], f"{self.a} against {self.b}", notes)


def compare_sides(first: Sequence[Path], second: Sequence[Path]) -> Comparison | RecipeComparison:
    """Compare a run with a run, or the runs of a recipe with those of another; runs of all folds are put together.

    Raises:
        UserError: what `compare` and `compare_recipes` refuse, or a run is on both sides.
    """
    if len(first) == len(second) == 1:
        return compare(first[0], second[0])
    if both := {path.resolve() for path in first} & {path.resolve() for path in second}:
        raise UserError("a run is in both recipes", found=", ".join(sorted(map(str, both))))
    a, b = read_pooled(first), read_pooled(second)
    return compare_runs(a[0], b[0]) if len(a) == len(b) == 1 else compare_recipes(a, b)


def compare_recipes(first: Sequence[RecordedRun], second: Sequence[RecordedRun]) -> RecipeComparison:
    """Compare two recipes.

    Args:
        first, second: the runs of each, two or more.

    Raises:
        UserError: a recipe has a single run, or they answered other samples or have other labels.
    """
    paths = [{run.directory.resolve() for run in own} for own in (first, second)]
    for name, own in zip(("first", "second"), paths, strict=True):
        if len(own) < 2:
            raise UserError(
                f"the {name} recipe has {len(own)} run: how far its seeds vary is not known",
                expected="two runs or more of each recipe, with other seeds, as in: compare a-s* -- b-s*",
                remedy="make more runs with other seeds, or compare two runs: coabench compare A B",
            )
    aligned = align([Side.of(run) for run in (*first, *second)])
    a, b = aligned.answers[: len(first)], aligned.answers[len(first) :]
    names = _name(first), _name(second)
    runs = aligned.runs[: len(first)], aligned.runs[len(first) :]
    return RecipeComparison(
        *(names if names[0] != names[1] else (f"{names[0]} (A)", f"{names[1]} (B)")),
        samples=len(a[0]),
        runs_a=_uars(first, a),
        runs_b=_uars(second, b),
        figures=tuple(_figures(a, b)),
        subjects=a[0].subjects,
        notes=tuple(note for side, own in zip("AB", runs, strict=True) for note in _notes(side, own)),
    )


def _name(runs: Sequence[RecordedRun]) -> str:
    """Return what the names of the runs begin with, and a star: ``coa-s*``."""
    return common_name([run.directory.resolve().name for run in runs])


def _uars(runs: Sequence[RecordedRun], answers: Sequence[Predicted]) -> dict[str, float]:
    return {str(run.directory): float(own.shares.sum()) for run, own in zip(runs, answers, strict=True)}


def _figures(a: Sequence[Predicted], b: Sequence[Predicted]) -> list[RecipeFigure]:
    sizes, n = a[0].sizes, len(a[0])
    figures = [
        _figure("UAR", None, n, [[run.shares for run in own] for own in (a, b)], sizes),
        _figure("WAR", None, n, [[run.hits for run in own] for own in (a, b)], [n]),
    ]
    recalls = [
        _figure("recall", a[0].names[c], int(sizes[c]), [[run.hits_of(c) for run in own] for own in (a, b)], sizes[[c]])
        for c in np.flatnonzero(sizes).tolist()
    ]
    adjusted = holm([figure.p for figure in recalls])
    return figures + [RecipeFigure(**{**vars(one), "p": float(p)}) for one, p in zip(recalls, adjusted, strict=True)]


def _figure(name: str, label: str | None, n: int, shares: Sequence[Sequence[Figures]], sizes: Any) -> RecipeFigure:
    """Compare a figure; *shares* are those of the runs of either recipe."""
    a, b = (np.stack(own) for own in shares)
    found: Difference = recipe_difference(a, b, sizes)
    moments: dict[str, float] = {}
    for side, own in (("a", a), ("b", b)):
        values = own.sum(axis=1)
        moments |= {side: float(values.mean()), f"{side}_sd": float(values.std(ddof=1))}
    return RecipeFigure(name, label, n, **moments, difference=found.value, low=found.low, high=found.high, p=found.p,
                        differing=found.differing)  # fmt: skip


def _notes(side: str, runs: Sequence[RecordedRun]) -> list[str]:
    """Return in what the runs of a recipe differ beside seeds, and whether they are of a part of the samples."""
    columns = [run.identity.columns() for run in runs]
    settings = [{**row.pop("settings"), **row} for row in columns]
    alike = len({run.identity.recipe(run.manifest.get("training")) for run in runs}) == 1
    names = [] if alike else dict.fromkeys(name for row in settings for name in row)
    differing = [
        name
        for name in names
        if not name.startswith(SEEDS)
        and name != "adapter"
        and any(row.get(name) != settings[0].get(name) for row in settings)
    ]
    notes = pooled_notes(side, runs)
    if differing:
        notes.append(f"The runs of {side} differ in more than a seed: {', '.join(differing)}.")
    if (limit := runs[0].identity.dataset.limit) is not None:
        notes.append(f"The runs of {side} were made with --limit {limit}: the result holds for these samples only.")
    return notes


def _mean(row: Row, side: str) -> str:
    return f"{percent(row[side])} ± {percent(row[f'{side}_sd'])}"


def _difference(row: Row) -> str:
    return difference(row["difference"], row["low"], row["high"], 2)
