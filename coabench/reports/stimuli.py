"""What the report shows of numbers that are known of samples, and of controlled stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from coabench.metrics.curves import Point
from coabench.metrics.psychometric import Threshold
from coabench.metrics.stimuli import StimulusFigures
from coabench.render import charts

UNITS = {
    "yaw": "yaw, degrees",
    "pitch": "pitch, degrees",
    "roll": "roll, degrees",
    "light_direction": "light, degrees to the right",
    "resolution": "resolution, pixels",
}
"""The titles of axes that have a unit; any other number is known by its name."""

STEPS = 60
"""Points of a drawn function."""


@dataclass(frozen=True)
class Curve:
    """A number, its chart, and its psychometric function where it has one."""

    name: str
    chart: Markup
    threshold: Threshold | None


def stimuli_shown(figures: StimulusFigures) -> dict[str, Any]:
    """Return what the template of the report takes."""
    shown = [
        Curve(name, _chart(name, points, figures.thresholds.get(name)), figures.thresholds.get(name))
        for name, points in figures.curves.items()
    ]
    return {"number_curves": shown, "matched": figures.matched, "blends": figures.blends}


def _chart(name: str, points: Sequence[Point], threshold: Threshold | None) -> Markup:
    drawn = [
        charts.Point(_label(p), p.x, 100 * p.accuracy, 100 * p.interval[0], 100 * p.interval[1], "answers")
        for p in points
    ]
    low, high = points[0].x, points[-1].x
    mark = None
    if threshold is not None:
        xs = [low + (high - low) * step / STEPS for step in range(STEPS + 1)]
        drawn += [charts.Point("", x, 100 * threshold.curve.at(x), group="fitted function") for x in xs]
        at = threshold.curve.threshold
        mark = None if at is None else (at, f"threshold {at:.2f}")
    return charts.curves(
        drawn,
        x_title=UNITS.get(name, name.replace("_", " ")),
        y_title="accuracy, %",
        about=f"Accuracy against {name}, {len(points)} points from {low:.4g} to {high:.4g}.",
        begin=min(low, 0.0) if low < high / 4 else low,
        end=high,
        dots={"answers"},
        mark=mark,
    )


def _label(point: Point) -> str:
    whole = point.low == point.high
    return f"{point.n:,} samples" + ("" if whole else f", {point.low:.4g} to {point.high:.4g}")
