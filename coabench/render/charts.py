"""Charts as SVG: pure functions from numbers to `markupsafe.Markup`, the same bytes for the same numbers.

They take their colours from ``page.css``, so they follow the scheme of the page and print well; put them straight
into a template of `coabench.render.page`: ``{{ chart }}``. Text in them is escaped and made visible as everywhere.
Numbers come in the unit they are shown in (percent, seconds), or as proportions where the docstring says so.

- `scatter`: points with vertical intervals, for a figure against its cost. Each point's `Point.label` stands beside it
  where there is space, and always in its tooltip; ``group`` gives colour and shape, named in a legend.
- `interval` and `scale`: a dot with its interval to stand in a table's cell, and the scale for the column's heading, so
  that a table of figures is a dot plot as well and stays one when it is sorted.
- `histogram`, `reliability`: what they say.
- `shade`: the CSS class of a proportion on the heat scale; a confusion matrix is an HTML table of such cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from markupsafe import Markup, escape

from coabench.base.text import safe

NAMED = 60
"""Up to how many points of `scatter` are named beside; with more, only tooltips name them."""

SERIES = 6
"""How many groups have a colour and a shape of their own; the others share the last."""

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
    frame = _Frame(680, 400, left=64, right=24, top=16, bottom=48)
    x = _log_axis([p.x for p in points]) if log_x else _linear_axis([p.x for p in points])
    y = _linear_axis([v for p in points for v in (p.y, p.low, p.high) if v is not None])
    groups = {group: min(i, SERIES - 1) for i, group in enumerate(sorted({p.group for p in points}))}

    placed = [(p, frame.x(x.at(p.x)), frame.y(y.at(p.y))) for p in points]
    marks, taken = [], []
    for p, px, py in placed:
        parts = []
        if p.low is not None and p.high is not None:
            top, bottom = frame.y(y.at(p.high)), frame.y(y.at(p.low))
            parts.append(_line("error", px, top, px, bottom))
            parts += [_line("error", px - 4, end, px + 4, end) for end in (top, bottom)]
            taken.append((px - 5, top, px + 5, bottom))
        taken.append((px - 7, py - 7, px + 7, py + 7))
        parts.append(_marker(groups[p.group], px, py))
        span = "" if p.low is None or p.high is None else f" [{p.low:.2f}, {p.high:.2f}]"
        tip = f"{p.label}: {p.y:.2f}{span} at {p.x:.4g}"
        marks.append(_group(f"series-{groups[p.group]}", [_title(tip), *parts]))

    named = placed if len(placed) <= NAMED else []
    labels = [label for p, px, py in named for label in _place(p.label, px, py, taken, frame)]
    svg = _svg(frame, about, [*_axes(frame, x, y, x_title, y_title), *marks, *labels])
    return _chart(svg + _legend({g: i for g, i in groups.items() if g}))


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

    frame = _Frame(680, 240, left=64, right=24, top=26, bottom=48)
    x, y = _Axis(low, low + bins * width, _steps(low, low + bins * width)), _linear_axis([0, max(counts)], whole=True)
    drawn = []
    for i, count in enumerate(counts):
        left, right = low + i * width, low + (i + 1) * width
        if count:
            more = " and more" if beyond and i == bins - 1 else f" to {right:.4g}"
            bar = _rect("bar", frame.x(x.at(left)) + 0.5, frame.y(y.at(count)), frame.x(x.at(right)) - 0.5, frame.y(0))
            drawn.append(_group("", [_title(f"{left:.4g}{more}: {count:,}"), bar]))
    named = [(frame.x(x.at(v)), name) for name, v in (marks or {}).items() if low <= v <= low + bins * width]
    drawn += [_line("reference", at, frame.top - 6, at, frame.y(0)) for at, _ in named]
    for row, (at, name) in enumerate(sorted(named)):
        ahead = at < frame.width * 0.7
        words_at = at + (5 if ahead else -5)
        drawn.append(_text(name, words_at, frame.top + 4 + 15 * row, "label", "start" if ahead else "end"))
    return _chart(_svg(frame, about, [*_axes(frame, x, y, x_title, "samples"), *drawn]))


def reliability(bars: Sequence[Bar], *, about: str) -> Markup:
    """Return a reliability diagram: accuracy with interval against mean confidence, above how many are in each bin.

    Everything lies within 0…1 and is shown in percent. On the dashed line confidence and accuracy agree.
    """
    frame = _Frame(480, 400, left=64, right=24, top=16, bottom=24)
    below = _Frame(480, 110, left=64, right=24, top=8, bottom=48, offset=frame.height - 8)
    x = _Axis(0, 100, [0, 20, 40, 60, 80, 100])
    most = _linear_axis([0, max((b.count for b in bars), default=1)], whole=True, ticks=2)
    drawn = [*_axes(frame, x, x, "", "accuracy, %"), *_axes(below, x, most, "confidence, %", "samples")]
    drawn.append(_line("reference", frame.x(0), frame.y(0), frame.x(1), frame.y(1)))
    for b in bars:
        tip = (
            f"confidence {100 * b.left:.0f} to {100 * b.right:.0f}, mean {100 * b.x:.1f}: accuracy {100 * b.y:.1f} "
            f"[{100 * b.low:.1f}, {100 * b.high:.1f}] of {b.count:,}"
        )
        at, top, bottom = frame.x(b.x), frame.y(b.high), frame.y(b.low)
        parts = [_title(tip), _line("error", at, top, at, bottom)]
        parts += [_line("error", at - 4, end, at + 4, end) for end in (top, bottom)]
        parts.append(_marker(0, at, frame.y(b.y)))
        left, right = below.x(b.left) + 1, below.x(b.right) - 1
        parts.append(_rect("bar pale", left, below.y(most.at(b.count)), right, below.y(0)))
        drawn.append(_group("series-0", parts))
    whole = _Frame(480, frame.height - 8 + below.height)
    return _chart(_svg(whole, about, drawn), narrow=True)


def interval(value: float | None, low: float | None, high: float | None, reference: float | None = None) -> Markup:
    """Return a dot with its interval on a line from 0 to 100 percent, for a cell; proportions within 0…1.

    Args:
        value: where the dot stands; None leaves the line empty.
        low, high: the interval's ends, None for no interval.
        reference: a proportion to mark in every row of the column, such as the mean.
    """
    frame = _Frame(200, 24, left=8, right=8)
    middle = frame.height / 2
    drawn = [_line("grid", frame.x(v), 0, frame.x(v), frame.height) for v in (0, 0.25, 0.5, 0.75, 1)]
    if reference is not None:
        drawn.append(_line("reference", frame.x(reference), 0, frame.x(reference), frame.height))
    if value is not None:
        tip = f"{100 * value:.1f} %"
        if low is not None and high is not None:
            tip += f" [{100 * low:.1f}, {100 * high:.1f}]"
            drawn.append(_line("error", frame.x(low), middle, frame.x(high), middle))
        drawn.append(_marker(0, frame.x(value), middle, size=0.65))
        drawn.insert(0, _title(tip))
    # The cells beside it say the same in figures: to a screen reader the dot is decoration.
    return Markup('<svg class="interval series-0" viewBox="0 0 200 24" aria-hidden="true">{}</svg>').format(
        Markup().join(drawn)
    )


def scale() -> Markup:
    """Return the scale of a column of `interval` cells, for its heading."""
    frame = _Frame(200, 24, left=8, right=8)
    ends = {0: "start", 100: "end"}
    texts = [
        _text(str(v), frame.x(v / 100) + (-4 if v == 0 else 8 if v == 100 else 0), 18, "", ends.get(v, "middle"))
        for v in (0, 25, 50, 75, 100)
    ]
    return Markup('<svg class="interval" viewBox="0 0 200 24" aria-hidden="true">{}</svg>').format(Markup().join(texts))


def shade(proportion: float) -> str:
    """Return the class of the heat scale for a proportion within 0…1: ``s0`` to ``s20``; only 0 is ``s0``."""
    return f"s{min(20, math.ceil(20 * proportion))}"


@dataclass(frozen=True)
class _Frame:
    """The plot's area within the picture; `x` and `y` map 0…1 to it, y upwards."""

    width: float
    height: float
    left: float = 0
    right: float = 0
    top: float = 0
    bottom: float = 0
    offset: float = 0

    def x(self, part: float) -> float:
        return self.left + part * (self.width - self.left - self.right)

    def y(self, part: float) -> float:
        return self.offset + self.height - self.bottom - part * (self.height - self.top - self.bottom)


@dataclass(frozen=True)
class _Axis:
    """The values that an axis spans, and those it names."""

    low: float
    high: float
    ticks: Sequence[float]
    transform: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """Return where on the axis a value is, 0…1."""
        low, high = self.transform(self.low), self.transform(self.high)
        return (self.transform(value) - low) / (high - low)


def _linear_axis(values: Sequence[float], *, whole: bool = False, ticks: int = 6) -> _Axis:
    """Return an axis that spans the values and ends on round numbers."""
    low, high = min(values), max(values)
    if low == high:
        low, high = (0.0, 1.0) if low == 0 else (low - abs(low) / 2, high + abs(high) / 2)
    step = _step((high - low) / ticks)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.floor(low / step), math.ceil(high / step)
    return _Axis(first * step, last * step, [i * step for i in range(first, last + 1)])


def _log_axis(values: Sequence[float]) -> _Axis:
    """Return a logarithmic axis with a margin at both ends, and its ticks at 1, 2, 5 (or only 1) times 10ⁿ."""
    low, high = min(values) / 1.4, max(values) * 1.4
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    figures = (1, 2, 5) if math.log10(high / low) <= 3 else (1,)
    ticks = [figure * 10.0**decade for decade, figure in product(decades, figures)]
    return _Axis(low, high, [t for t in ticks if low <= t <= high], math.log10)


def _steps(low: float, high: float) -> list[float]:
    """Return the round values within *low*…*high*."""
    step = _step((high - low) / 7)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def _step(rough: float) -> float:
    """Return the next of 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(figure * power for figure in (1, 2, 2.5, 5, 10) if figure * power >= rough * (1 - 1e-9))


def _axes(frame: _Frame, x: _Axis, y: _Axis, x_title: str, y_title: str) -> Iterator[Markup]:
    """Yield grid, axes, ticks and titles; without an x title no figures stand below either."""
    left, right, top, bottom = frame.x(0), frame.x(1), frame.y(1), frame.y(0)
    for tick in y.ticks:
        at = frame.y(y.at(tick))
        yield _line("grid", left, at, right, at)
        yield _text(f"{tick:,.10g}", left - 8, at + 4, "", "end")
    for tick in x.ticks:
        at = frame.x(x.at(tick))
        yield _line("axis" if x_title else "grid", at, bottom if x_title else top, at, bottom + (5 if x_title else 0))
        if x_title:
            yield _text(f"{tick:,.10g}", at, bottom + 19, "", "middle")
    yield _line("axis", left, bottom, right, bottom)
    middle = (top + bottom) / 2
    yield _text(x_title, (left + right) / 2, bottom + 40, "title", "middle") if x_title else Markup()
    yield Markup('<text class="title" text-anchor="middle" transform="translate({} {}) rotate(-90)">{}</text>').format(
        _n(frame.left - 50), _n(middle), _clean(y_title)
    )


def _place(label: str, x: float, y: float, taken: list[Box], frame: _Frame) -> list[Markup]:
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
                words = _text(text, cx + 2, cy + 4, "label")
                return [_leader(x, y, box), words] if distance else [words]
    return []


def _leader(x: float, y: float, box: Box) -> Markup:
    """Return a thin line from the point to the nearest point of its label's box."""
    return _line("leader", x, y, max(box[0], min(x, box[2])), max(box[1] + 3, min(y, box[3] - 3)))


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


_SHAPES = (
    "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",  # circle
    "M-5 -5h10v10h-10z",  # square
    "M0 -6.5L6.2 5H-6.2z",  # triangle
    "M0 -7L6 0L0 7L-6 0z",  # diamond
    "M0 6.5L6.2 -5H-6.2z",  # triangle, on its point
    "M-6 -2h4v-4h4v4h4v4h-4v4h-4v-4h-4z",  # cross
)


def _marker(series: int, x: float, y: float, size: float = 1) -> Markup:
    scaled = "" if size == 1 else f" scale({size})"
    return Markup('<path class="mark" transform="translate({} {}){}" d="{}"/>').format(
        _n(x), _n(y), scaled, _SHAPES[series]
    )


def _legend(groups: Mapping[str, int]) -> Markup:
    if len(groups) < 2:
        return Markup()
    entries = [
        Markup('<li><svg class="series-{}" viewBox="-8 -8 16 16" aria-hidden="true">{}</svg>{}</li>').format(
            series, _marker(series, 0, 0), _clean(group)
        )
        for group, series in groups.items()
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup().join(entries))


def _chart(content: Markup, *, narrow: bool = False) -> Markup:
    return Markup('<div class="chart{}">{}</div>').format(" narrow" if narrow else "", content)


def _svg(frame: _Frame, about: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(frame.width), _n(frame.height), _clean(about), Markup().join(parts)
    )


def _group(name: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<g class="{}">{}</g>').format(name, Markup().join(parts))


def _title(text: str) -> Markup:
    return Markup("<title>{}</title>").format(_clean(text))


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<path class="{}" d="M{} {}L{} {}"/>').format(name, _n(x1), _n(y1), _n(x2), _n(y2))


def _rect(name: str, left: float, top: float, right: float, bottom: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        name, _n(left), _n(top), _n(max(right - left, 0.5)), _n(bottom - top)
    )


def _text(text: str, x: float, y: float, name: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        name, _n(x), _n(y), anchor, _clean(text)
    )


def _clean(text: str) -> Markup:
    return escape(safe(text))


def _n(value: float) -> str:
    """Return a coordinate with one digit: enough for the eye, and the same on every machine."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
