"""The compare job: two runs on the same samples, what differs, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coabench.base.text import difference, interval, p_equals, p_value, percent, plural, signed
from coabench.decode import EXTERNAL
from coabench.metrics.predictions import Predicted
from coabench.metrics.ranking import ALPHA
from coabench.metrics.statistics import (
    POWER,
    TESTABLE,
    minimum_detectable,
)
from coabench.render import plots
from coabench.render.plots import Dot
from coabench.render.tables import Column, Row, Section, render_fragment
from coabench.reports.aligned import Aligned, align
from coabench.reports.differing import distinguish
from coabench.reports.over_folds import pooled_notes
from coabench.reports.paired_figures import Figure, GroupDifference, group_differences, paired_figures
from coabench.reports.run_row import RunRow
from coabench.reports.side import Side, read_side
from coabench.runs.finished import RecordedRun
from coabench.runs.identity import RunIdentity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from coabench.reports.compare_recipes import RecipeComparison


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample that only one of the runs gets right."""

    id: str
    target: str
    a: str | None
    b: str | None
    right: str
    """``a`` or ``b``."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two runs on the same samples.

    Attributes:
        a, b: the names of the runs.
        figures: UAR, WAR, then the recall of each label that has samples.
        flips: the samples that only one of them gets right, in the order of the data set.
        groups: the differences within each value of the attributes that make groups.
        minimum_detectable: the smallest true difference of UAR that these samples would show four times in five; None
            where too few differ to test.
        subjects: how many persons were resampled; None where samples were.
        notes: what a reader must know.
    """

    a: str
    b: str
    samples: int
    figures: tuple[Figure, ...]
    flips: tuple[Flip, ...]
    groups: tuple[GroupDifference, ...]
    minimum_detectable: float | None
    subjects: int | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The result in plain words."""
        first = self.figures[0]
        size = f"{100 * abs(first.difference):.2f} points of UAR"
        evidence = f"95 % interval {interval(signed(first.low), signed(first.high))}, {p_equals(first.p)}"
        seen = f"a true difference of {percent(self.minimum_detectable, 1)} points"
        if not self.flips:
            return "The two runs get the same samples right: there is no difference to test."
        if first.differing < TESTABLE:
            return (
                f"Too few to test: the runs differ on {first.differing} of {self._units}, and no result of a test on"
                f" fewer than {TESTABLE} is unlikely enough. The difference is "
                f"{signed(first.difference, 2)} points of UAR."
            )
        if first.p < ALPHA:
            better, worse = (self.a, self.b) if first.difference > 0 else (self.b, self.a)
            return f"{better} is better than {worse} by {size} ({evidence})."
        return (
            f"No significant difference: {size} apart is within chance ({evidence}). "
            f"These samples would show {seen} in {100 * POWER:.0f} of 100 such comparisons, smaller ones less often."
        )

    @property
    def _units(self) -> str:
        return plural(self.samples, "sample") if self.subjects is None else plural(self.subjects, "person")

    def plot_comparison(self, axes: Axes | None = None) -> Axes:
        """Draw the differences; see `plot_differences`."""
        return plot_differences(self, axes)

    def __repr__(self) -> str:
        return f"<comparison of {self.a} with {self.b}: {self.verdict}>"

    def _repr_html_(self) -> str:
        return render_fragment(self.sections(0))

    def as_json(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        return {**asdict(self), "verdict": self.verdict}

    def sections(self, flips: int) -> list[Section]:
        """Return the tables for people, with at most *flips* flipped samples."""
        return [self.figures_section(), self._flips_section(flips)] if flips else [self.figures_section()]

    def figures_section(self) -> Section:
        """Return the table of figures."""
        columns = [
            Column("Figure", lambda row: row["label"] or row["figure"]),
            Column("n", "n", "right"),
            Column("A", lambda row: percent(row["a"]), "right", value="a"),
            Column("B", lambda row: percent(row["b"]), "right", value="b"),
            Column("A − B", _difference, value="difference", kept=True),
            Column("p", lambda row: p_value(row["p"]), "right", value="p", kept=True),
            Column("Only A", "only_a", "right"),
            Column("Only B", "only_b", "right"),
        ]
        notes = [
            self.verdict,
            f"A: {self.a}. B: {self.b}. Figures in %, differences in points with 95 % "
            f"intervals, over {self._units}. Only A, Only B: samples that just one run gets right.",
            "p: the larger one of a sign-flip test's (McNemar's exact one with equal weights) and the interval's. Those"
            " of the recalls are Holm-corrected over the labels, their intervals are not.",
            *self.notes,
        ]
        return Section(columns, [asdict(figure) for figure in self.figures], f"{self.a} against {self.b}", notes)

    def _flips_section(self, most: int) -> Section:
        columns = [
            Column("Sample", "id", width=40),
            Column("Target", "target", width=22),
            Column("A", "a", width=22),
            Column("B", "b", width=22),
            Column("Right", lambda row: row["right"].upper()),
        ]
        shown = self.flips[:most]
        more = len(self.flips) - len(shown)
        notes = [f"{more} more: --flips {len(self.flips)} shows all."] if more else []
        title = f"Samples that only one of them gets right: {len(self.flips)}"
        return Section(columns, [asdict(flip) for flip in shown], title, notes)


def plot_differences(comparison: Comparison | RecipeComparison, axes: Axes | None) -> Axes:
    """Draw the difference of each figure, in points, with its 95 % interval; on the dashed line there is none.

    Args:
        axes: where to draw; None for a new figure.

    Raises:
        UserError: matplotlib is not installed.
    """
    found = [
        Dot(figure.label or figure.figure, 100 * figure.difference, 100 * figure.low, 100 * figure.high)
        for figure in comparison.figures
    ]
    title = f"{comparison.a} − {comparison.b}"
    return plots.dots(found, title=title, x_title="A − B, points (95 % interval)", reference=0, axes=axes)


def compare(first: Path, second: Path) -> Comparison:
    """Compare two runs.

    Raises:
        UserError: one is no finished run, or they answered other samples or have other labels.
    """
    return compare_aligned(align([read_side(first), read_side(second)]))


def compare_runs(first: RecordedRun, second: RecordedRun) -> Comparison:
    """Compare two runs that were read; see `compare`."""
    return compare_aligned(align([Side.of(first), Side.of(second)]))


def compare_aligned(aligned: Aligned) -> Comparison:
    """Compare two runs that lie side by side; see `compare`."""
    a, b = aligned.answers
    names = _names(*(run.directory for run in aligned.runs))
    figures = tuple(paired_figures(a, b))
    few = figures[0].differing < TESTABLE
    return Comparison(
        *names,
        samples=len(a),
        figures=figures,
        flips=tuple(_flips(aligned.sides[0].ids, a, b)),
        groups=tuple(group_differences(aligned)),
        minimum_detectable=None if few else minimum_detectable(a.shares, b.shares, a.sizes),
        subjects=a.subjects,
        notes=(
            *_notes(names, [run.identity.dataset.limit for run in aligned.runs]),
            *_options([run.identity for run in aligned.runs]),
            *(note for side, run in zip("AB", aligned.runs, strict=True) for note in pooled_notes(side, [run])),
        ),
    )


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return names that tell the runs apart: the folders', or the paths where those are the same."""
    short = first.resolve().name, second.resolve().name
    return short if short[0] != short[1] else (str(first), str(second))


def _flips(ids: Sequence[str], a: Predicted, b: Predicted) -> list[Flip]:
    names = [*a.names, None]
    right_a, right_b = a.predictions == a.targets, b.predictions == b.targets
    return [
        Flip(
            ids[i],
            names[a.targets[i]] or "",
            names[a.predictions[i]],
            names[b.predictions[i]],
            "a" if right_a[i] else "b",
        )
        for i in np.flatnonzero(right_a != right_b).tolist()
    ]


def _notes(names: Sequence[str], limits: Sequence[int | None]) -> list[str]:
    return [
        f"{name} was made with --limit {limit}: the result holds for these samples only."
        for name, limit in zip(names, limits, strict=True)
        if limit is not None
    ]


def _options(identities: Sequence[RunIdentity]) -> list[str]:
    """Return in which decode modes two runs were made, and what was done to their images; where that is the same, in
    which options of the same names."""
    described = [dict(identity.describe()) for identity in identities]
    notes = []
    images = [each["Images"] or "nothing" for each in described]
    if len({*images}) > 1:
        notes.append(f"What was done to the images: in A {images[0]}; in B {images[1]}.")
    decodes = [identity.decode for identity in identities]
    if len({*decodes}) > 1 and EXTERNAL not in decodes:
        notes.append(f"A with --decode {described[0]['Decode']}; B with --decode {described[1]['Decode']}.")
    if notes:
        return notes
    rows = distinguish([RunRow(**identity.columns()) for identity in identities])
    options = [f"{side} with {row.options}" for side, row in zip("AB", rows, strict=True) if row.options]
    return [f"{'; '.join(options)}."] if options else []


def _difference(row: Row) -> str:
    return difference(row["difference"], row["low"], row["high"], 2)
