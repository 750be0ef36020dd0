"""Plots on matplotlib: functions from numbers to `matplotlib.axes.Axes`, for notebooks and papers.

Like `coabench.render.charts` they take what is computed already, in the unit that it is shown in (percent, points), or
as proportions where the docstring says so. matplotlib is an extra and is imported when it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coabench.base.text import safe
from coabench.errors import UserError, one_line
from coabench.render.charts import Bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSTALL = "pip install 'coabench[plots]'"
DARK = 0.5
"""From this shade on, text stands white on it."""


@dataclass(frozen=True)
class Dot:
    """A figure with its interval; None for what is not known."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


def dots(figures: Sequence[Dot], *, title: str, x_title: str, reference: float, axes: Axes | None = None) -> Axes:
    """Return a dot plot with intervals, the first dot on top.

    Args:
        reference: where a dashed line stands.
        axes: where to draw; None for a new figure.

    Raises:
        UserError: matplotlib is not installed, or *axes* are none.
    """
    axes = _axes(axes, 7, 1.4 + 0.3 * len(figures))
    places = range(len(figures))
    values, lows, highs = ([_known(getattr(dot, part)) for dot in figures] for part in ("value", "low", "high"))
    axes.axvline(reference, linestyle="--", linewidth=1, color="grey")
    axes.hlines(places, lows, highs, linewidth=1.5)
    axes.plot(values, places, "o")
    axes.set_yticks(places, labels=[_text(dot.name) for dot in figures])
    axes.set_ylim(len(figures) - 0.5, -0.5)
    axes.set_xlabel(_text(x_title))
    axes.set_title(_text(title))
    return axes


def confusion(labels: Sequence[str], rows: Sequence[Sequence[int]], *, title: str, axes: Axes | None = None) -> Axes:
    """Return a confusion matrix: counts, each shaded by its part of the row.

    Args:
        labels: of the columns; the rows are the first of them.
        rows: counts by true label.
        axes: where to draw; None for a new figure.

    Raises:
        UserError: matplotlib is not installed, or *axes* are none.
    """
    axes = _axes(axes, 2.5 + 0.5 * len(labels), 2 + 0.45 * len(rows))
    shares = [[count / (sum(row) or 1) for count in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(rows):
        for x, count in enumerate(row):
            if count:
                colour = "white" if shares[y][x] > DARK else "black"
                axes.text(x, y, f"{count:,}", ha="center", va="center", color=colour)
    names = [_text(label) for label in labels]
    axes.set_xticks(range(len(names)), labels=names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), labels=names[: len(rows)])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true label")
    axes.set_title(_text(title))
    return axes


def reliability(bars: Sequence[Bar], *, title: str, axes: Axes | None = None) -> Axes:
    """Return a reliability diagram: accuracy with interval against mean confidence, in percent; bars are proportions.

    The number at each point is how many predictions are in its bin. On the dashed line both agree.

    Raises:
        UserError: matplotlib is not installed, or *axes* are none.
    """
    axes = _axes(axes, 5, 5)
    x, y, lows, highs = ([100 * getattr(bar, part) for bar in bars] for part in ("x", "y", "low", "high"))
    axes.plot([0, 100], [0, 100], linestyle="--", linewidth=1, color="grey")
    axes.vlines(x, lows, highs, linewidth=1.5)
    axes.plot(x, y, "o")
    for bar in bars:
        axes.annotate(f"{bar.count:,}", (100 * bar.x, 100 * bar.y), xytext=(6, 4), textcoords="offset points")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("accuracy, %")
    axes.set_title(_text(title))
    return axes


def training(
    aims: Sequence[tuple[float, float]],
    scores: Sequence[tuple[float, Dot]],
    *,
    title: str,
    aim: str = "loss",
    chosen: float | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Return loss or reward over the steps, and on an axis at the right the dev UAR with its interval, in percent.

    Args:
        aims: step, and loss in nats per token, or reward.
        aim: ``loss`` or ``reward``.
        scores: step and UAR.
        chosen: the step at which a dashed line stands.
        axes: where to draw; None for a new figure.

    Raises:
        UserError: matplotlib is not installed, or *axes* are none.
    """
    axes = _axes(axes, 7, 4)
    axes.plot(*zip(*aims, strict=True), color="C0")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss, nats per token" if aim == "loss" else aim, color="C0")
    axes.set_ylim(bottom=min(0.0, *(value for _, value in aims)))
    axes.set_title(_text(title))
    if chosen is not None:
        axes.axvline(chosen, linestyle="--", linewidth=1, color="grey")
    if scores:
        right = axes.twinx()
        steps = [step for step, _ in scores]
        values, lows, highs = ([_known(getattr(dot, part)) for _, dot in scores] for part in ("value", "low", "high"))
        right.vlines(steps, lows, highs, linewidth=1.5, color="C1")
        right.plot(steps, values, "o-", color="C1")
        right.set_ylim(0, 100)
        right.set_ylabel("dev UAR, % (95 % interval)", color="C1")
    return axes


def severities(
    curves: Sequence[tuple[str, Sequence[tuple[float, Dot]]]], *, title: str, chance: float, axes: Axes | None = None
) -> Axes:
    """Return the UAR over the severities, in percent, with intervals: a line for each family, a little beside the next.

    Args:
        curves: family, and the figure at each severity; 0 is the clean run.
        chance: where a dashed line stands.
        axes: where to draw; None for a new figure.

    Raises:
        UserError: matplotlib is not installed, or *axes* are none.
    """
    axes = _axes(axes, 7, 4)
    axes.axhline(chance, linestyle="--", linewidth=1, color="grey")
    for number, (family, figures) in enumerate(curves):
        colour, marker = f"C{number % 10}", "osD^v<>pXP"[number % 10]
        places = [level + 0.06 * (number - (len(curves) - 1) / 2) for level, _ in figures]
        values, lows, highs = ([_known(getattr(dot, part)) for _, dot in figures] for part in ("value", "low", "high"))
        axes.vlines(places, lows, highs, linewidth=1, color=colour)
        axes.plot(places, values, marker=marker, color=colour, label=_text(family))
    axes.set_xticks(sorted({level for _, figures in curves for level, _ in figures}))
    axes.set_ylim(0, 100)
    axes.set_xlabel("severity, 0 is clean")
    axes.set_ylabel("UAR, % (95 % interval)")
    axes.set_title(_text(title))
    axes.legend()
    return axes


def _axes(axes: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw on: those of the caller, or of a new figure of so many inches."""
    try:
        from matplotlib import axes as kinds
        from matplotlib import pyplot
    except ImportError as error:
        raise UserError("plots need the package matplotlib", found=one_line(str(error)), remedy=INSTALL) from None
    if axes is None:
        axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(axes, kinds.Axes):
        raise UserError("axes is no place to draw", expected="Axes of matplotlib, or None", found=type(axes).__name__)
    return axes


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _text(text: str) -> str:
    """Return text that is drawn as it stands: between two dollar signs matplotlib would read formulas."""
    return safe(text).replace("$", r"\$")
