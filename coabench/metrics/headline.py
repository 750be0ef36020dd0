"""The headline figures of a run: one table, which summary, leaderboard, report, command line and ``load_runs`` follow.

A figure that a plugin registers is a row like ours: see `coabench.runs.metrics.headlines`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from coabench.base.text import interval, percent
from coabench.metrics.bounds import UAR_SCORE, WAR_SCORE, Formula, Score, bounds
from coabench.metrics.figures import macro_f1, uar, war
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
        formula: confusion matrices, shape (…, k, k + 1) -> figures, shape (…); None where a plugin computes it.
        score: its interval where the samples are independent; None for the percentile bootstrap's.
        format: how it is printed, one of `coabench.base.vocabulary.FIGURE_FORMATS`.
        about: what it says, for the notes below a table.
    """

    name: str
    title: str
    formula: Formula | None = None
    score: Score | None = None
    format: Literal["percent", "number"] = "percent"
    about: str = ""

    @property
    def key(self) -> str:
        """The column of its value in tables."""
        return self.name if self.formula else f"plugins.{self.name}"

    @property
    def bound_keys(self) -> tuple[str, str]:
        """The columns of its interval; of a plugin's metric with a colon, which no name of a metric has."""
        mark = "_" if self.formula else ":"
        return f"{self.key}{mark}low", f"{self.key}{mark}high"

    @property
    def heading(self) -> str:
        """The title as a heading."""
        return self.title[:1].upper() + self.title[1:]

    def measure(self, predicted: Predicted, level: float = LEVEL) -> tuple[Estimate, str | None]:
        """Return the figure of what a run predicted with its interval, and why it has no interval where it has none."""
        assert self.formula is not None
        value = float(self.formula(predicted.confusion))
        found = bounds(predicted, self.formula, self.score, level)
        return (Estimate(value), found) if isinstance(found, str) else (Estimate(value, *found), None)

    def read(self, metrics: Mapping[str, Any]) -> Estimate:
        """Return the figure from the contents of ``metrics.json``.

        Raises:
            LookupError, TypeError, ValueError: a figure of ours is missing or no proportion. A metric of a plugin that
                is missing, or no number, is an empty estimate.
        """
        if self.formula:
            found = metrics[f"{self.name}_interval"]
            return Estimate(*map(proportion, (metrics[self.name], *([] if found is None else found))))
        return read_plugin_metric((metrics.get("plugins") or {}).get(self.name))

    def columns(self, estimate: Estimate) -> dict[str, float | None]:
        """Return the columns of a table that hold this figure."""
        return dict(zip((self.key, *self.bound_keys), estimate, strict=True))

    def text(self, value: float | None, digits: int = 2) -> str:
        """Return a value for people: percent without the sign, with so many digits; another number with 4 of them."""
        if value is None or self.format == "percent":
            return percent(value, digits)
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

HEADLINES = (UAR, WAR, MACRO_F1)
"""The figures of every run, in the order in which they are shown; runs are ranked by the first."""


def read_plugin_metric(result: Any) -> Estimate:
    """Return what a metric of a plugin returned as an estimate; an empty one where it is no number.

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


def proportion(value: Any, most: float = 1.0) -> float:
    """Return *value* as a number within 0…*most*; `ValueError` for anything else, NaN included."""
    figure = float(value)
    if not 0 <= figure <= most or math.isinf(figure):
        raise ValueError(f"{value!r} is no figure")
    return figure
