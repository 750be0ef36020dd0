"""A run as Python gets it: its figures, its records as a table, itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.runs.finished import read_run
from coabench.runs.metrics import further_figures, read_metrics
from coabench.runs.run import read_records

if TYPE_CHECKING:
    from pandas import DataFrame

    from coabench.render.tables import Section


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

    def __repr__(self) -> str:
        """Return the main figures in a line; the manifest would fill a page."""
        from coabench.metrics.headline import UAR, WAR

        metrics = self.metrics
        value, low, high = map(UAR.with_unit, UAR.read(metrics))
        bounds = "" if UAR.read(metrics).low is None else f" [{low}, {high}]"
        return (
            f"<run {self.directory}: {metrics['samples']} samples, UAR {value}{bounds}, "
            f"WAR {WAR.with_unit(metrics['war'])}, {metrics['invalid']} invalid>"
        )

    def _repr_html_(self) -> str:
        from coabench.render.tables import render_fragment

        return render_fragment([self._figures(), self._recalls()])

    def _figures(self) -> Section:
        from coabench.metrics.headline import FIGURES
        from coabench.render.tables import Column, Section

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
            Column("95 % from", "low", "right"),
            Column("to", "high", "right"),
        ]
        return Section(columns, rows, f"Run {self.directory}", list(self._notes()))

    def _notes(self) -> Iterator[str]:
        samples, invalid, errors = (self.metrics[name] for name in ("samples", "invalid", "errors"))
        yield f"{samples:,} samples, {invalid:,} without a valid answer, {errors:,} errors"
        if self.manifest["identity"]["dataset"].get("limit") is not None:
            yield "Not comparable: only some of the split's samples were used (limit)."
        yield from self.manifest.get("notes", ())
        if self.note:
            yield self.note

    def _recalls(self) -> Section:
        from coabench.base.text import percent
        from coabench.render.tables import Column, Section

        rows = [
            {"label": label, "n": found["n"], "recall": percent(found["recall"]),
             **dict(zip(("low", "high"), map(percent, found["interval"] or (None, None)), strict=True))}
            for label, found in self.metrics["per_class"].items()
        ]  # fmt: skip
        columns = [
            Column("Label", "label"),
            Column("Samples", "n", "right"),
            Column("Recall, %", "recall", "right"),
            Column("95 % from", "low", "right"),
            Column("to", "high", "right"),
        ]
        return Section(columns, rows, "Recall of each label")


def load_run(directory: Path) -> FinishedRun:
    """Return the finished run of a directory.

    Raises:
        UserError: there is none, it is not finished, or it is damaged.
    """
    run = read_run(directory)
    metrics, note = read_metrics(directory, run.manifest)
    return FinishedRun(directory, run.manifest, metrics, note)
