"""The sections that plugins add to the report: called with copies, checked, and turned into what the page may show."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coabench.base.signals import is_interrupt
from coabench.base.text import NOTHING
from coabench.errors import UserError, with_type
from coabench.registry.loader import get_plugins
from coabench.registry.metrics import call_on_run
from coabench.registry.registrations import Registration
from coabench.render import charts
from coabench.runs.run import read_records
from coabench.section import Histogram, Point, Scatter, Section, Table

MOST = 1000
"""Rows of a table, and points of a scatter plot, that the page holds at most."""


@dataclass(frozen=True)
class ShownCell:
    """A cell of a table: its text, and the number to sort by where it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class ShownTable:
    """A table as the page shows it; *total* counts the rows, of which the first are here."""

    headings: Sequence[str]
    rows: Sequence[Sequence[ShownCell]]
    caption: str
    total: int

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.headings)
        return [any(c.number is not None for c in column) and all(
            c.number is not None or c.text == NOTHING for c in column) for column in columns]  # fmt: skip


@dataclass(frozen=True)
class ShownSection:
    """A section as the page shows it.

    Attributes:
        anchor: its address within the page.
        origin: the plugin that made it, and its version.
        problem: why there is nothing to show, where a plugin has failed; otherwise None.
        parts: paragraphs, tables and charts.
    """

    anchor: str
    title: str
    origin: str
    problem: str | None = None
    parts: Sequence[str | ShownTable | Markup] = ()

    @property
    def link(self) -> tuple[str, str]:
        """Where it is, and its title: for the page's list of sections."""
        return self.anchor, self.title

    def kind(self, part: str | ShownTable | Markup) -> str:
        """Return ``chart``, ``table`` or ``text``."""
        return "chart" if isinstance(part, Markup) else "table" if isinstance(part, ShownTable) else "text"


class Unusable(Exception):
    """What a plugin returned is no section; the message says why."""


def plugin_sections(directory: Path, manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[ShownSection]:
    """Return the sections of all plugins, by their names; one that fails says so in its place."""

    def records() -> list[dict[str, Any]]:
        return list(read_records(directory))

    made = (_section(registration, manifest, metrics, records) for registration in get_plugins().sections.values())
    return [section for section in made if section is not None]


def _section(
    registration: Registration,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    records: Callable[[], list[dict[str, Any]]],
) -> ShownSection | None:
    origin = f"{registration.plugin} {registration.version}".strip()
    empty = ShownSection(f"section-{registration.name}", registration.name, origin)
    try:
        with redirect_stdout(sys.stderr):  # stdout is for data
            returned = call_section(registration.load(), manifest, metrics, records)
            return None if returned is None else checked(returned, empty)
    except UserError as error:
        return replace(empty, problem=error.problem + (f" ({error.remedy})" if error.remedy else ""))
    except BaseException as error:
        if is_interrupt(error):
            raise
        return replace(empty, problem=str(error) if isinstance(error, Unusable) else with_type(error))


def call_section(
    target: Callable[..., Any],
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    records: Callable[[], list[dict[str, Any]]],
) -> Any:
    """Return what a section's target makes of a run, of which it gets copies."""
    return call_on_run(target, records, deepcopy(dict(manifest)), deepcopy(dict(metrics)))


def checked(section: Any, empty: ShownSection) -> ShownSection:
    """Return what the page shows of a section, every text in it a plain one; `Unusable` where it is none."""
    if not isinstance(section, Section):
        raise Unusable(f"it returned {type(section).__name__}, not a coabench.section.Section or None")
    return replace(empty, title=_text(section.title, "its title"), parts=[*_parts(section.parts)])


def _parts(parts: Any) -> Iterator[str | ShownTable | Markup]:
    for part in _list(parts, "its parts"):
        match part:
            case str():
                yield _text(part, "a part")
            case Table():
                yield _table(part)
            case Histogram():
                yield charts.histogram(
                    [_number(value, "a value of a histogram") for value in _some(part.values, "a histogram")],
                    x_title=_text(part.x_title, "x_title"), about=_text(part.about, "about"),
                    marks={_text(name, "the name of a mark"): _number(value, "a mark")
                           for name, value in dict(part.marks).items()},
                )  # fmt: skip
            case Scatter():
                yield charts.scatter(
                    [_point(point) for point in _some(part.points, "a scatter plot")[:MOST]],
                    x_title=_text(part.x_title, "x_title"), y_title=_text(part.y_title, "y_title"),
                    about=_text(part.about, "about"),
                )  # fmt: skip
            case _:
                raise Unusable(f"a part is {type(part).__name__}, not a text, Table, Histogram or Scatter")


def _table(table: Table) -> ShownTable:
    headings = [_text(heading, "a heading") for heading in _some(table.headings, "a table")]
    every = _list(table.rows, "the rows of a table")
    rows = [[_cell(cell) for cell in _list(row, "a row of a table")] for row in every[:MOST]]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(headings):
            raise Unusable(f"row {number} of a table has {len(row)} cells for {len(headings)} headings")
    return ShownTable(headings, rows, _text(table.caption, "a caption"), len(every))


def _cell(value: Any) -> ShownCell:
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return ShownCell(NOTHING)
    if isinstance(value, bool) or not isinstance(value, Real):
        return ShownCell(_text(value, "a cell"))
    number = float(value)
    return ShownCell(f"{int(value):,}" if isinstance(value, Integral) else f"{number:.4g}", number)


def _point(point: Any) -> Point:
    if not isinstance(point, Point):
        raise Unusable(f"a point is {type(point).__name__}, not a coabench.section.Point")
    low, high = (None if end is None else _number(end, "the end of an interval") for end in (point.low, point.high))
    x, y = _number(point.x, "an x"), _number(point.y, "a y")
    return Point(_text(point.label, "the name of a point"), x, y, low, high, _text(point.group, "a group"))


def _text(value: Any, what: str) -> str:
    """Return a plain text: one that says of itself that it is HTML is text all the same."""
    if not isinstance(value, str):
        raise Unusable(f"{what} is {type(value).__name__}, not text")
    return str.__str__(value)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise Unusable(f"{what} is {value!r}, not a finite number"[:200])
    return float(value)


def _list(value: Any, what: str) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise Unusable(f"{what} are {type(value).__name__}, not a list")
    return list(value)


def _some(value: Any, what: str) -> list[Any]:
    found = _list(value, f"the contents of {what}")
    if not found:
        raise Unusable(f"{what} is empty")
    return found
