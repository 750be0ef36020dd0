"""A run as Python gets it: its figures, its records as a table, itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.text import percent, plural
from coabench.errors import UserError
from coabench.metrics.calibration import Calibration
from coabench.metrics.confidences import Confidences
from coabench.metrics.headline import FIGURES, UAR, WAR
from coabench.render import plots
from coabench.render.charts import Bar
from coabench.render.plots import Dot
from coabench.render.tables import Column, Section, render_fragment
from coabench.runs.finished import read_run
from coabench.runs.metrics import further_figures, read_metrics
from coabench.runs.run import read_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


_BOUNDS = (Column("95 % from", "low", "right"), Column("to", "high", "right"))


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: where it is, its manifest and its metrics.

    Attributes:
        note: why its metrics had to be computed again when it was read; None where they had not.
    """

    directory: Path
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    note: str | None = None

    @cached_property
    def records(self) -> DataFrame:
        """Its records as a pandas table, one sample per row; `coabench.load_records` lists the columns."""
        from coabench.runs.frames import records_frame

        return records_frame(read_records(self.directory))

    def plot_recall(self, axes: Axes | None = None) -> Axes:
        """Draw the recall of each label with its 95 % interval; the dashed line is the UAR.

        Args:
            axes: where to draw; None for a new figure.

        Raises:
            UserError: matplotlib is not installed.
        """
        recalls = [
            Dot(f"{label} (n={found['n']:,})", *_percents(found["recall"], *(found["interval"] or ())))
            for label, found in self.metrics["per_class"].items()
        ]
        uar = 100 * self.metrics["uar"]
        title = f"{self._name}: UAR {uar:.2f} %"
        return plots.dots(recalls, title=title, x_title="recall, % (95 % interval)", reference=uar, axes=axes)

    def plot_confusion(self, axes: Axes | None = None) -> Axes:
        """Draw the confusion matrix: counts, each shaded by its part of the samples of its true label.

        Args, Raises: as for `plot_recall`.
        """
        found = self.metrics["confusion"]
        return plots.confusion(found["labels"], found["rows"], title=self._name, axes=axes)

    def plot_reliability(self, axes: Axes | None = None) -> Axes:
        """Draw accuracy against confidence, in the bins of the expected calibration error.

        Args: as for `plot_recall`.

        Raises:
            UserError: matplotlib is not installed, or no answer of the run has a confidence.
        """
        confidences = Confidences(self.manifest["labels"]["names"])
        for record in read_records(self.directory):
            confidences.add(record)
        if confidences.figures is None:
            raise UserError(
                f"the run {self.directory} has no confidences",
                expected="a run whose answers have scores",
                remedy='evaluate with decode="score" or decode="sample"',
            )
        found = confidences.figures.calibration
        title = f"{self._name}: calibration error {100 * found.ece:.2f} %"
        return plots.reliability(reliability_bars(found), title=title, axes=axes)

    @property
    def _name(self) -> str:
        return self.directory.resolve().name

    def __repr__(self) -> str:
        """Return the main figures in a line; the manifest would fill a page."""
        metrics = self.metrics
        value, low, high = map(UAR.with_unit, UAR.read(metrics))
        bounds = "" if UAR.read(metrics).low is None else f" [{low}, {high}]"
        errors = f", {plural(metrics['errors'], 'error')}" if metrics["errors"] else ""
        return (
            f"<run {self.directory}: {plural(metrics['samples'], 'sample')}, UAR {value}{bounds}, "
            f"WAR {WAR.with_unit(metrics['war'])}, {metrics['invalid']} invalid{errors}>"
        )

    def _repr_html_(self) -> str:
        return render_fragment([self._figures(), self._recalls()])

    def _figures(self) -> Section:
        metrics = self.metrics
        rows = [
            {"figure": figure.heading, "value": figure.with_unit(value), "low": figure.with_unit(low),
             "high": figure.with_unit(high)}
            for figure in (*FIGURES, *further_figures(metrics))
            for value, low, high in [figure.read(metrics)]
        ]  # fmt: skip
        columns = [
            Column("Figure", "figure"),
            Column("Value", "value", "right"),
            *_BOUNDS,
        ]
        return Section(columns, rows, f"Run {self.directory}", list(self._notes()))

    def _notes(self) -> Iterator[str]:
        samples, invalid, errors = (self.metrics[name] for name in ("samples", "invalid", "errors"))
        yield f"{plural(samples, 'sample')}, {invalid:,} without a valid answer, {plural(errors, 'error')}"
        yield from self.manifest.get("notes", ())
        if self.note:
            yield self.note

    def _recalls(self) -> Section:
        rows = [
            {"label": label, "n": found["n"], "recall": percent(found["recall"]),
             **dict(zip(("low", "high"), map(percent, found["interval"] or (None, None)), strict=True))}
            for label, found in self.metrics["per_class"].items()
        ]  # fmt: skip
        columns = [
            Column("Label", "label"),
            Column("Samples", "n", "right"),
            Column("Recall, %", "recall", "right"),
            *_BOUNDS,
        ]
        return Section(columns, rows, "Recall of each label")


def reliability_bars(calibration: Calibration) -> list[Bar]:
    """Return the bins of a reliability diagram, as it is drawn."""
    return [Bar(b.left, b.right, b.confidence, b.accuracy, *b.interval, b.n) for b in calibration.bins]


def _percents(*proportions: float | None) -> list[float | None]:
    return [None if each is None else 100 * each for each in proportions]


def load_run(directory: Path) -> FinishedRun:
    """Return the finished run of a directory.

    Raises:
        UserError: there is none, it is not finished, or it is damaged.
    """
    run = read_run(directory)
    metrics, note = read_metrics(directory, run.manifest)
    return FinishedRun(directory, run.manifest, metrics, note)
