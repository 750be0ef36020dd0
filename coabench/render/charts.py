"""Charts as SVG: pure functions from numbers to `markupsafe.Markup`, the same bytes for the same numbers.

They take their colours from ``page.css``, so they follow the scheme of the page and print well; put them straight
into a template of `coabench.render.page`: ``{{ chart }}``. Text in them is escaped and made visible as everywhere.
Numbers come in the unit they are shown in (percent, seconds), or as proportions where the docstring says so.

- `scatter`: points with vertical intervals, for a figure against its cost. Each point's `Point.label` stands beside it
  where there is space, and always in its tooltip; ``group`` gives colour and shape, named in a legend.
- `interval` and `scale`: a dot with its interval to stand in a table's cell, and the scale for the column's heading, so
  that a table of figures is a dot plot as well and stays one when it is sorted.
- `curves`: what changes over steps, as lines, with a named mark such as the step that was chosen.
- `histogram`, `reliability`: what they say.
- `shade`: the CSS class of a proportion on the heat scale; a confusion matrix is an HTML table of such cells.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from coabench.base.text import safe
from coabench.render import svg

NAMED = 60
"""Up to how many points of `scatter` are named beside; with more, only tooltips name them."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Point:
    """A point of `scatter`: its name, its coordinates, the interval of y (None: it has none) and its group."""

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Bar:
    """A bar of `reliability`: the bin's bounds and its mean confidence, accuracy with interval, count."""

    left: float
    right: float
    x: float
    y: float
    low: float
    high: float
    count: int


def scatter(points: Sequence[Point], *, x_title: str, y_title: str, about: str, log_x: bool = False) -> Markup:
    """Return a scatter plot with error bars.

    Args:
        points: at least one; with ``log_x`` every x is positive.
        x_title, y_title: the axes' titles, with units.
        about: what the chart shows, for those who cannot see it.
        log_x: whether x is on a logarithmic scale.

    Raises:
        ValueError: there is no point, or an x that has no logarithm.
    """
    if not points or (log_x and min(p.x for p in points) <= 0):
        raise ValueError("a scatter plot needs points, and on a logarithmic axis positive ones")
    frame = svg.Frame(680, 400, left=64, right=24, top=16, bottom=48)
    x = svg.log_axis([p.x for p in points]) if log_x else svg.linear_axis([p.x for p in points])
    y = svg.linear_axis([v for p in points for v in (p.y, p.low, p.high) if v is not None])
    groups = {group: min(i, svg.SERIES - 1) for i, group in enumerate(sorted({p.group for p in points}))}

    placed = [(p, frame.x(x.at(p.x)), frame.y(y.at(p.y))) for p in points]
    marks, taken = [], []
    for p, px, py in placed:
        if p.low is not None and p.high is not None:
            taken.append((px - 5, frame.y(y.at(p.high)), px + 5, frame.y(y.at(p.low))))
        taken.append((px - 7, py - 7, px + 7, py + 7))
        marks.append(_dot(p, groups[p.group], frame, x, y))

    named = placed if len(placed) <= NAMED else []
    labels = [label for p, px, py in named for label in _place(p.label, px, py, taken, frame)]
    drawn = svg.picture(frame, about, [*svg.axes(frame, x, y, x_title, y_title), *marks, *labels])
    return svg.chart(drawn + svg.legend({g: i for g, i in groups.items() if g}))


def _dot(p: Point, series: int, frame: svg.Frame, x: svg.Axis, y: svg.Axis) -> Markup:
    """Return a point's marker with its interval and its tooltip."""
    px, parts, span = frame.x(x.at(p.x)), [], ""
    if p.low is not None and p.high is not None:
        top, bottom = frame.y(y.at(p.high)), frame.y(y.at(p.low))
        parts.append(svg.line("error", px, top, px, bottom))
        parts += [svg.line("error", px - 4, end, px + 4, end) for end in (top, bottom)]
        span = f" [{p.low:.2f}, {p.high:.2f}]"
    parts.append(svg.marker(series, px, frame.y(y.at(p.y))))
    tip = f"{p.label}: {p.y:.2f}{span} at {p.x:.4g}"
    return svg.group(f"series-{series}", [svg.title(tip), *parts])


def curves(
    points: Sequence[Point],
    *,
    x_title: str,
    y_title: str,
    about: str,
    end: float,
    begin: float = 0.0,
    dots: Collection[str] | bool = False,
    mark: tuple[float, str] | None = None,
) -> Markup:
    """Return a line for each group of points; the y axis has 0.

    Args:
        points: at least one, each group in the order of x, which is not below *begin*.
        x_title, y_title, about: as for `scatter`.
        begin, end: where the x axis begins and ends.
        dots: whether each point is drawn too, with its interval; or the groups of which they are.
        mark: where a vertical line stands, and its name.
    """
    frame = svg.Frame(680, 280, left=64, right=24, top=32, bottom=48)
    x = svg.Axis(begin, end, svg.round_values(begin, end))
    y = svg.linear_axis([0.0, *(v for p in points for v in (p.y, p.high) if v is not None)])
    groups: dict[str, list[Point]] = {}
    for p in points:
        groups.setdefault(p.group, []).append(p)
    drawn = list(svg.axes(frame, x, y, x_title, y_title))
    if mark is not None:
        at, name = frame.x(x.at(mark[0])), mark[1]
        ahead = at < frame.width * 0.7
        drawn.append(svg.line("reference", at, frame.top - 24, at, frame.y(0)))
        drawn.append(svg.text(name, at + (5 if ahead else -5), frame.top - 14, "label", "start" if ahead else "end"))
    series = {group: min(i, svg.SERIES - 1) for i, group in enumerate(groups)}
    for group, own in groups.items():
        corners = [(frame.x(x.at(p.x)), frame.y(y.at(p.y))) for p in own]
        drawn.append(svg.group(f"series-{series[group]}", [svg.polyline("curve", corners)]))
        drawn += [_dot(p, series[group], frame, x, y) for p in own if _dotted(group, dots) or len(own) == 1]
    return svg.chart(svg.picture(frame, about, drawn) + svg.legend({g: i for g, i in series.items() if g}))


def _dotted(group: str, dots: Collection[str] | bool) -> bool:
    return dots if isinstance(dots, bool) else group in dots


def histogram(values: Sequence[float], *, x_title: str, about: str, marks: Mapping[str, float] | None = None) -> Markup:
    """Return a histogram of the *values* (at least one), with named vertical *marks* such as the median.

    There are √n bins, at most 30, of equal width from 0 (or the least value, below 0) to the largest value. A long
    tail is cut at four times the 95th percentile; the last bin then holds everything beyond, and its tooltip says so.
    """
    ordered = sorted(values)
    bins = min(30, math.ceil(math.sqrt(len(ordered))))
    cut = 4 * ordered[math.ceil(0.95 * len(ordered)) - 1]
    low, high = min(0.0, ordered[0]), ordered[-1]
    beyond = 0 < cut < high
    high = cut if beyond else high
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in ordered:
        counts[max(0, min(int((value - low) / width), bins - 1))] += 1

    frame = svg.Frame(680, 240, left=64, right=24, top=26, bottom=48)
    x, y = (
        svg.Axis(low, low + bins * width, svg.round_values(low, low + bins * width)),
        svg.linear_axis([0, max(counts)], whole=True),
    )
    drawn = []
    for i, count in enumerate(counts):
        left, right = low + i * width, low + (i + 1) * width
        if count:
            more = " and more" if beyond and i == bins - 1 else f" to {right:.4g}"
            bar = svg.rect(
                "bar", frame.x(x.at(left)) + 0.5, frame.y(y.at(count)), frame.x(x.at(right)) - 0.5, frame.y(0)
            )
            drawn.append(svg.group("", [svg.title(f"{left:.4g}{more}: {count:,}"), bar]))
    named = [(frame.x(x.at(v)), name) for name, v in (marks or {}).items() if low <= v <= low + bins * width]
    drawn += [svg.line("reference", at, frame.top - 6, at, frame.y(0)) for at, _ in named]
    for row, (at, name) in enumerate(sorted(named)):
        ahead = at < frame.width * 0.7
        words_at = at + (5 if ahead else -5)
        drawn.append(svg.text(name, words_at, frame.top + 4 + 15 * row, "label", "start" if ahead else "end"))
    return svg.chart(svg.picture(frame, about, [*svg.axes(frame, x, y, x_title, "samples"), *drawn]))


def reliability(bars: Sequence[Bar], *, about: str) -> Markup:
    """Return a reliability diagram: accuracy with interval against mean confidence, above how many are in each bin.

    Everything lies within 0…1 and is shown in percent. On the dashed line confidence and accuracy agree.
    """
    frame = svg.Frame(480, 400, left=64, right=24, top=16, bottom=24)
    below = svg.Frame(480, 110, left=64, right=24, top=8, bottom=48, offset=frame.height - 8)
    x = svg.Axis(0, 100, [0, 20, 40, 60, 80, 100])
    most = svg.linear_axis([0, max((b.count for b in bars), default=1)], whole=True, ticks=2)
    drawn = [*svg.axes(frame, x, x, "", "accuracy, %"), *svg.axes(below, x, most, "confidence, %", "samples")]
    drawn.append(svg.line("reference", frame.x(0), frame.y(0), frame.x(1), frame.y(1)))
    for b in bars:
        tip = (
            f"confidence {100 * b.left:.0f} to {100 * b.right:.0f}, mean {100 * b.x:.1f}: accuracy {100 * b.y:.1f} "
            f"[{100 * b.low:.1f}, {100 * b.high:.1f}] of {b.count:,}"
        )
        at, top, bottom = frame.x(b.x), frame.y(b.high), frame.y(b.low)
        parts = [svg.title(tip), svg.line("error", at, top, at, bottom)]
        parts += [svg.line("error", at - 4, end, at + 4, end) for end in (top, bottom)]
        parts.append(svg.marker(0, at, frame.y(b.y)))
        left, right = below.x(b.left) + 1, below.x(b.right) - 1
        parts.append(svg.rect("bar pale", left, below.y(most.at(b.count)), right, below.y(0)))
        drawn.append(svg.group("series-0", parts))
    whole = svg.Frame(480, frame.height - 8 + below.height)
    return svg.chart(svg.picture(whole, about, drawn), narrow=True)


def interval(
    value: float | None,
    low: float | None,
    high: float | None,
    reference: float | None = None,
    *,
    ends: tuple[float, float] = (0, 1),
) -> Markup:
    """Return a dot with its interval on a line from 0 to 100 percent, for a cell; proportions within 0…1.

    Args:
        value: where the dot stands; None leaves the line empty.
        low, high: the interval's ends, None for no interval.
        reference: a proportion to mark in every row of the column, such as the mean.
        ends: where the line begins and ends, for other proportions, such as differences.
    """
    frame = svg.Frame(200, 24, left=8, right=8)
    middle = frame.height / 2

    def x(proportion: float) -> float:
        return frame.x(min(1, max(0, (proportion - ends[0]) / (ends[1] - ends[0]))))

    drawn = [svg.line("grid", frame.x(v), 0, frame.x(v), frame.height) for v in (0, 0.25, 0.5, 0.75, 1)]
    if reference is not None:
        drawn.append(svg.line("reference", x(reference), 0, x(reference), frame.height))
    if value is not None:
        tip = f"{100 * value:.1f} %"
        if low is not None and high is not None:
            tip += f" [{100 * low:.1f}, {100 * high:.1f}]"
            drawn.append(svg.line("error", x(low), middle, x(high), middle))
        drawn.append(svg.marker(0, x(value), middle, size=0.65))
        drawn.insert(0, svg.title(tip))
    # The cells beside it say the same in figures: to a screen reader the dot is decoration.
    return Markup('<svg class="interval series-0" viewBox="0 0 200 24" aria-hidden="true">{}</svg>').format(
        Markup().join(drawn)
    )


def scale(ends: tuple[float, float] = (0, 1)) -> Markup:
    """Return the scale of a column of `interval` cells, for its heading."""
    frame = svg.Frame(200, 24, left=8, right=8)
    anchors = {0.0: ("start", -4), 1.0: ("end", 8)}
    texts = []
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor, shift = anchors.get(place, ("middle", 0))
        value = f"{100 * (ends[0] + place * (ends[1] - ends[0])):.4g}".replace("-", "−")
        texts.append(svg.text(value, frame.x(place) + shift, 18, "", anchor))
    return Markup('<svg class="interval" viewBox="0 0 200 24" aria-hidden="true">{}</svg>').format(Markup().join(texts))


def shade(proportion: float) -> str:
    """Return the class of the heat scale for a proportion within 0…1: ``s0`` to ``s20``; only 0 is ``s0``."""
    return f"s{min(20, math.ceil(20 * proportion))}"


def _place(label: str, x: float, y: float, taken: list[Box], frame: svg.Frame) -> list[Markup]:
    """Return a point's label where nothing else is, with a line to the point where it is farther off; or nothing.

    Widths are estimated, since no font is at hand: 6.5 units per character of a 12-unit sans serif.
    """
    text = safe(label, 40)
    width, height = 6.5 * len(text) + 4, 15
    for distance in (0, 14, 28, 42):
        for dx, dy in ((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1)):
            if distance == 0 and dy:
                continue
            cx = x + dx * (10 + (distance / 2 if dy == 0 else 0)) - (0 if dx > 0 else width if dx < 0 else width / 2)
            cy = y + dy * distance
            box = (cx, cy - height / 2, cx + width, cy + height / 2)
            inside = (
                box[0] >= frame.x(0) and box[2] <= frame.width - 2 and frame.y(1) - 8 <= box[1] and box[3] <= frame.y(0)
            )
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                words = svg.text(text, cx + 2, cy + 4, "label")
                return [_leader(x, y, box), words] if distance else [words]
    return []


def _leader(x: float, y: float, box: Box) -> Markup:
    """Return a thin line from the point to the nearest point of its label's box."""
    return svg.line("leader", x, y, max(box[0], min(x, box[2])), max(box[1] + 3, min(y, box[3] - 3)))


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
