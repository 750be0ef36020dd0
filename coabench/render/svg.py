"""What charts are drawn with: a plot's area, its axes, and marks as SVG; see `coabench.render.charts`.

Classes name the colours of ``page.css``; every text is escaped, with control characters made visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from markupsafe import Markup, escape

from coabench.base.text import safe

SERIES = 6
"""How many groups have a colour and a shape of their own; the others share the last."""


@dataclass(frozen=True)
class Frame:
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
class Axis:
    """The values that an axis spans, those it names, and the *minor* ones that it marks without a name."""

    low: float
    high: float
    ticks: Sequence[float]
    transform: Callable[[float], float] = float
    minor: Sequence[float] = ()

    def at(self, value: float) -> float:
        """Return where on the axis a value is, 0…1."""
        low, high = self.transform(self.low), self.transform(self.high)
        return (self.transform(value) - low) / (high - low)


def linear_axis(values: Sequence[float], *, whole: bool = False, ticks: int = 6) -> Axis:
    """Return an axis that spans the values and ends on round numbers."""
    low, high = min(values), max(values)
    if low == high:
        low, high = (0.0, 1.0) if low == 0 else (low - abs(low) / 2, high + abs(high) / 2)
    step = _step((high - low) / ticks)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.floor(low / step), math.ceil(high / step)
    return Axis(first * step, last * step, [i * step for i in range(first, last + 1)])


def log_axis(values: Sequence[float]) -> Axis:
    """Return a logarithmic axis with a margin at both ends.

    It names round values over less than one decade, 1, 2, 5 times 10ⁿ up to three, beyond that only 10ⁿ. From one to
    three decades it marks all 1…9.
    """
    low, high = min(values) / 1.4, max(values) * 1.4
    if high / low < 10:
        return Axis(low, high, round_values(low, high), math.log10)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def within(figures: Sequence[int]) -> list[float]:
        ticks = [figure * 10.0**decade for decade, figure in product(decades, figures)]
        return [tick for tick in ticks if low <= tick <= high]

    if high / low > 1000:
        return Axis(low, high, within([1]), math.log10)
    named = within([1, 2, 5])
    return Axis(low, high, named, math.log10, [tick for tick in within(range(1, 10)) if tick not in named])


def round_values(low: float, high: float) -> list[float]:
    """Return the round values within *low*…*high*."""
    step = _step((high - low) / 7)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def _step(rough: float) -> float:
    """Return the next of 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(figure * power for figure in (1, 2, 2.5, 5, 10) if figure * power >= rough * (1 - 1e-9))


def axes(frame: Frame, x: Axis, y: Axis, x_title: str, y_title: str) -> Iterator[Markup]:
    """Yield grid, axes, ticks and titles; without an x title no figures stand below either."""
    left, right, top, bottom = frame.x(0), frame.x(1), frame.y(1), frame.y(0)
    for tick in y.ticks:
        at = frame.y(y.at(tick))
        yield line("grid", left, at, right, at)
        yield text(f"{tick:,.10g}", left - 8, at + 4, "", "end")
    for tick in x.ticks:
        at = frame.x(x.at(tick))
        yield line("axis" if x_title else "grid", at, bottom if x_title else top, at, bottom + (5 if x_title else 0))
        if x_title:
            yield text(f"{tick:,.10g}", at, bottom + 19, "", "middle")
    if x_title:
        for tick in x.minor:
            at = frame.x(x.at(tick))
            yield line("axis", at, bottom, at, bottom + 3)
    yield line("axis", left, bottom, right, bottom)
    middle = (top + bottom) / 2
    yield text(x_title, (left + right) / 2, bottom + 40, "title", "middle") if x_title else Markup()
    yield Markup('<text class="title" text-anchor="middle" transform="translate({} {}) rotate(-90)">{}</text>').format(
        _n(frame.left - 50), _n(middle), clean(y_title)
    )


_SHAPES = (
    "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",  # circle
    "M-5 -5h10v10h-10z",  # square
    "M0 -6.5L6.2 5H-6.2z",  # triangle
    "M0 -7L6 0L0 7L-6 0z",  # diamond
    "M0 6.5L6.2 -5H-6.2z",  # triangle, on its point
    "M-6 -2h4v-4h4v4h4v4h-4v4h-4v-4h-4z",  # cross
)


def marker(series: int, x: float, y: float, size: float = 1) -> Markup:
    """Return the shape of a series at a point."""
    scaled = "" if size == 1 else f" scale({size})"
    return Markup('<path class="mark" transform="translate({} {}){}" d="{}"/>').format(
        _n(x), _n(y), scaled, _SHAPES[series]
    )


def legend(groups: Mapping[str, int]) -> Markup:
    """Return the names of groups with the shapes of their series; nothing for a single group."""
    if len(groups) < 2:
        return Markup()
    entries = [
        Markup('<li><svg class="series-{}" viewBox="-8 -8 16 16" aria-hidden="true">{}</svg>{}</li>').format(
            series, marker(series, 0, 0), clean(group)
        )
        for group, series in groups.items()
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup().join(entries))


def chart(content: Markup, *, narrow: bool = False) -> Markup:
    """Return what a chart stands in. A wide one scrolls on a small screen, by keys, too."""
    if narrow:
        return Markup('<div class="chart narrow">{}</div>').format(content)
    return Markup('<div class="chart" tabindex="0" role="group" aria-label="Chart">{}</div>').format(content)


def picture(frame: Frame, about: str, parts: Sequence[Markup]) -> Markup:
    """Return a whole picture; *about* is for those who cannot see it."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(frame.width), _n(frame.height), clean(about), Markup().join(parts)
    )


def group(name: str, parts: Sequence[Markup]) -> Markup:
    """Return parts of one class."""
    return Markup('<g class="{}">{}</g>').format(name, Markup().join(parts))


def title(text: str) -> Markup:
    """Return the tooltip of the group that it begins."""
    return Markup("<title>{}</title>").format(clean(text))


def line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a straight line of a class."""
    return Markup('<path class="{}" d="M{} {}L{} {}"/>').format(name, _n(x1), _n(y1), _n(x2), _n(y2))


def polyline(name: str, corners: Sequence[tuple[float, float]]) -> Markup:
    """Return a line through points, of a class."""
    return Markup('<path class="{}" d="M{}"/>').format(name, "L".join(f"{_n(x)} {_n(y)}" for x, y in corners))


def rect(name: str, left: float, top: float, right: float, bottom: float) -> Markup:
    """Return a filled rectangle of a class."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        name, _n(left), _n(top), _n(max(right - left, 0.5)), _n(bottom - top)
    )


def text(text: str, x: float, y: float, name: str, anchor: str = "start") -> Markup:
    """Return words of a class."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        name, _n(x), _n(y), anchor, clean(text)
    )


def clean(text: str) -> Markup:
    """Return text that is escaped, its control characters made visible."""
    return escape(safe(text))


def _n(value: float) -> str:
    """Return a coordinate with one digit: enough for the eye, and the same on every machine."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
