"""The headline figures of a run: one table, which summary, leaderboard, report, command line and ``load_runs`` follow.

A figure that a plugin registers is a row like ours: see `coabench.runs.metrics.headlines`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from coabench.base.text import interval, number, percent
from coabench.metrics.bounds import ADJUSTED_UAR_SCORE, KAPPA_SCORE, UAR_SCORE, WAR_SCORE, Formula, Score, bounds
from coabench.metrics.figures import adjusted_uar, macro_f1, uar, war
from coabench.metrics.kappa import kappa
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import LEVEL


class Estimate(NamedTuple):
    """A figure of a run and the bounds of its interval; None for what is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Headline:
    """One figure of a run.

    Attributes:
        name: what it is called in ``metrics.json``.
        title: its heading.
        formula: confusion matrices, shape (…, k, k + 1) -> figures, shape (…); None where not every run has it.
        path: where a figure that not every run has stands in ``metrics.json``; by default that of a plugin's metric.
        score: its interval where the samples are independent; None for the percentile bootstrap's.
        format: how it is printed, one of `coabench.base.vocabulary.FIGURE_FORMATS`.
        about: what it says, for the notes below a table.
        least: the smallest value that it can have. One below 0 is measured against chance, and may be undefined: None.
        wide: left out of tables on a terminal.
    """

    name: str
    title: str
    formula: Formula | None = None
    score: Score | None = None
    format: Literal["percent", "number"] = "percent"
    about: str = ""
    path: tuple[str, ...] = ()
    least: float = 0.0
    wide: bool = False

    @property
    def key(self) -> str:
        """The column of its value in tables."""
        return self.name if self.formula else ".".join(self._where)

    @property
    def _where(self) -> tuple[str, ...]:
        return self.path or ("plugins", self.name)

    @property
    def bound_keys(self) -> tuple[str, str]:
        """The columns of its interval; of a plugin's metric with a colon, which no name of a metric has."""
        mark = "_" if self.formula or self.path else ":"
        return f"{self.key}{mark}low", f"{self.key}{mark}high"

    @property
    def heading(self) -> str:
        """The title as a heading."""
        return self.title[:1].upper() + self.title[1:]

    def measure(self, predicted: Predicted, level: float = LEVEL) -> tuple[Estimate, str | None]:
        """Return the figure of what a run predicted with its interval, and why it has no interval where it has none."""
        value = self.value(predicted)
        if value is None or self.formula is None:
            return Estimate(), "it is undefined where all is of one class"
        found = bounds(predicted, self.formula, self.score, level, self.least)
        return (Estimate(value), found) if isinstance(found, str) else (Estimate(value, *found), None)

    def value(self, predicted: Predicted) -> float | None:
        """Return the figure of what a run predicted; None where it is undefined."""
        assert self.formula is not None
        value = float(self.formula(predicted.confusion))
        return None if math.isnan(value) else value

    def read(self, metrics: Mapping[str, Any]) -> Estimate:
        """Return the figure from the contents of ``metrics.json``.

        Raises:
            LookupError, TypeError, ValueError: a figure of every run is missing or out of range. One that not every run
                has is an empty estimate where it is missing, or no number.
        """
        if self.formula:
            value, found = metrics[self.name], metrics[f"{self.name}_interval"]
            if value is None and self.least < 0:
                return Estimate()
            return Estimate(
                *(proportion(each, least=self.least) for each in (value, *([] if found is None else found)))
            )
        found = metrics
        for key in self._where:
            found = found.get(key) if isinstance(found, Mapping) else None
        return read_estimate(found)

    def columns(self, estimate: Estimate) -> dict[str, float | None]:
        """Return the columns of a table that hold this figure."""
        return dict(zip((self.key, *self.bound_keys), estimate, strict=True))

    def text(self, value: float | None, digits: int = 2) -> str:
        """Return a value for people: percent without the sign, with so many decimals; another number of ours with one
        more, one of a plugin with 4 digits."""
        if value is None or self.format == "percent":
            return percent(value, digits)
        if self.formula:
            return number(value, digits + 1)
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    def with_unit(self, value: float | None) -> str:
        """Return a value for people with its unit, ``60.87%``."""
        return self.text(value) + ("%" if self.format == "percent" and value is not None else "")

    def with_interval(self, estimate: Estimate) -> str:
        """Return value and interval for people in words, ``60.87%  (95 % interval 56.52% to 65.27%)``."""
        value, low, high = (self.with_unit(number) for number in estimate)
        return value if estimate.low is None else f"{value}  (95 % interval {low} to {high})"

    def estimate(self, row: Mapping[str, Any]) -> Estimate:
        """Return what stands in the `columns` of a table's row."""
        return Estimate(*(row[column] for column in (self.key, *self.bound_keys)))

    def cell(self, estimate: Estimate, value: str | None = None) -> str:
        """Return value (or what is passed as its text) and interval for people, ``60.87 [56.5, 65.3]``."""
        _, low, high = estimate
        shown = self.text(estimate.value) if value is None else value
        return shown if low is None else f"{shown} {interval(self.text(low, 1), self.text(high, 1))}"


UAR = Headline("uar", "UAR", uar, UAR_SCORE)
WAR = Headline("war", "WAR", war, WAR_SCORE)
MACRO_F1 = Headline("macro_f1", "macro-F1", macro_f1)

ADJUSTED_UAR = Headline("adjusted_uar", "adjusted UAR", adjusted_uar, ADJUSTED_UAR_SCORE, least=-1.0, wide=True)
KAPPA = Headline("kappa", "Cohen’s κ", kappa, KAPPA_SCORE, "number", least=-1.0, wide=True)
TOP_2 = Headline(
    "top_2",
    "top-2",
    about="right with the first or the second choice, of runs that have scores of all labels or ranked answers",
    path=("top_2",),
)
EXPECTED_ACCURACY = Headline(
    "expected_accuracy",
    "accuracy against votes",
    about="the share of annotators who chose what was predicted, where the data set has their votes",
    path=("votes", "expected_accuracy"),
)

HEADLINES = (UAR, WAR, MACRO_F1)
"""The figures that are shown first, in this order; runs are ranked by the first."""

FIGURES = (*HEADLINES, ADJUSTED_UAR, KAPPA)
"""The figures of every run."""

OPTIONAL = (TOP_2, EXPECTED_ACCURACY)
"""The figures of runs that have what they need."""


def read_estimate(result: Any) -> Estimate:
    """Return a figure that stands by itself, such as what a metric of a plugin returned; empty where it is no number.

    It may be a number, or ``{"value": number, "interval": [low, high]}``.
    """
    bounds = None
    if isinstance(result, Mapping):
        result, bounds = result.get("value"), result.get("interval")
    if not _is_number(result):
        return Estimate()
    if isinstance(bounds, list | tuple) and len(bounds) == 2 and all(map(_is_number, bounds)):
        return Estimate(result, *bounds)
    return Estimate(result)


LARGEST = 1e300
"""A whole number beyond it, which JSON can hold, is no float and cannot be shown in percent."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def proportion(value: Any, most: float = 1.0, least: float = 0.0) -> float:
    """Return *value* as a number within *least*…*most*; `ValueError` for anything else, NaN included."""
    figure = float(value)
    if not least <= figure <= most or math.isinf(figure):
        raise ValueError(f"{value!r} is no figure")
    return figure
