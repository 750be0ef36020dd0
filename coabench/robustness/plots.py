"""The charts of a stress's page; see `coabench.render.charts`."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from coabench.render import svg
from coabench.robustness.measures.orders import Position
from coabench.robustness.measures.severity import Curve


def severity_chart(curve: Curve) -> Markup:
    """Return the UAR over the severities with intervals, chance dashed, and a line where half of the gain is lost."""
    frame = svg.Frame(300, 216, left=34, right=12, top=18, bottom=48)
    levels, last = curve.levels, curve.levels[-1]
    x, y = svg.Axis(-0.25, last + 0.25, levels), svg.Axis(0, 100, [0, 25, 50, 75, 100])
    chance = frame.y(y.at(100 * curve.chance))
    drawn = [*svg.axes(frame, x, y, "severity, 0 is clean", "")]
    drawn.append(svg.line("reference", frame.x(0), chance, frame.x(1), chance))
    drawn.append(svg.text("chance", frame.x(0) + 4, chance - 5, ""))
    if curve.half is not None and curve.half.level is not None:
        at = frame.x(x.at(curve.half.level))
        drawn.append(svg.line("reference", at, frame.y(1), at, frame.y(0)))
        anchor = "end" if at > 0.75 * frame.width else "middle"
        drawn.append(svg.text(f"half lost at {curve.half.level:.1f}", at, frame.y(1) - 5, "label", anchor))
    marks, corners = [], []
    for level, (value, low, high) in zip(levels, curve.uars, strict=True):
        if value is None:
            continue
        at, tip = frame.x(x.at(level)), f"severity {level}: UAR {100 * value:.1f} %"
        corners.append((at, frame.y(value)))
        parts = []
        if low is not None and high is not None:
            tip += f" [{100 * low:.1f}, {100 * high:.1f}]"
            parts.append(svg.line("error", at, frame.y(low), at, frame.y(high)))
        parts.append(svg.marker(0, at, frame.y(value), size=0.75))
        marks.append(svg.group("", [svg.title(tip), *parts]))
    drawn.append(svg.group("series-0", [svg.polyline("curve", corners), *marks]))
    return svg.chart(svg.picture(frame, f"UAR over the severities of {curve.family}", drawn))


def position_chart(positions: Sequence[Position]) -> Markup:
    """Return a bar for each position with its interval, and a line across where labels alone would put it."""
    frame = svg.Frame(680, 260, left=64, right=24, top=16, bottom=48)
    ends = [100 * each for position in positions for each in (*position.chosen, position.expected) if each is not None]
    x = svg.Axis(0.4, len(positions) + 0.6, range(1, len(positions) + 1))
    y = svg.linear_axis([0, *ends])
    drawn = [*svg.axes(frame, x, y, "position among the options", "chosen, %")]
    for position in positions:
        value, low, high = position.chosen
        left, at, right = (frame.x(x.at(position.number + off)) for off in (-0.32, 0, 0.32))
        tip = f"position {position.number}: {100 * (value or 0):.1f} % chosen, {100 * position.expected:.1f} % expected"
        parts = [svg.title(tip), svg.rect("bar pale", left, frame.y(y.at(100 * (value or 0))), right, frame.y(0))]
        if low is not None and high is not None:
            parts.append(svg.line("error", at, frame.y(y.at(100 * low)), at, frame.y(y.at(100 * high))))
        expected = frame.y(y.at(100 * position.expected))
        parts.append(svg.line("expected", left - 5, expected, right + 5, expected))
        drawn.append(svg.group("series-0", parts))
    return svg.chart(svg.picture(frame, "How often each position is chosen", drawn))
