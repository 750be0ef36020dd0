"""The Section interface: what a plugin adds to the page of `coabench report`.

The target of a section is a function of the run's manifest and metrics, and of its records where it has a parameter of
that name. It returns what is to be shown as data: texts, tables and charts. The page draws them, so that nothing in
them is taken for HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from coabench.render.charts import Point

__all__ = ["Cell", "Histogram", "Part", "Point", "Scatter", "Section", "Table"]

Cell = str | float | None
"""Of a table: a text, a number, or None where there is nothing."""


@dataclass(frozen=True)
class Table:
    """A table, which its readers can sort.

    Attributes:
        rows: each with a cell for every heading.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Histogram:
    """How the values of samples are spread.

    Attributes:
        values: at least one.
        x_title: what they are, with their unit.
        about: what the chart shows, for those who cannot see it.
        marks: vertical lines by name, such as the median.
    """

    values: Sequence[float]
    x_title: str
    about: str
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scatter:
    """Points with their names, and intervals of y where they have them.

    Attributes:
        points: at least one; those of a group share a colour.
        x_title, y_title: the axes' titles, with units.
        about: what the chart shows, for those who cannot see it.
    """

    points: Sequence[Point]
    x_title: str
    y_title: str
    about: str


Part = str | Table | Histogram | Scatter
"""A text is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A section of the page: its heading, and what stands below it."""

    title: str
    parts: Sequence[Part]
