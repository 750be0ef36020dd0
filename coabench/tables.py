"""Printing tables: for people (``table``, ``markdown``) and for programs (``csv``, ``json``).

A row is a mapping of raw values. Columns are the people's view of it: each says how to show a row in one cell. csv
and json have no use for columns; they carry the rows themselves, at full precision. So nobody rounds a number that
a program will read, and a cell for people may join several values ("60.87 [56.5, 65.3]").

Text in rows comes from models, files and users. Each format makes it harmless for its medium.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coabench.terminal import safe

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json")

Row = Mapping[str, Any]
NOTHING = "–"
"""What a person sees where there is no value."""
WIDTH = 120
"""Where the terminal format wraps notes. Fixed, so that the same data prints the same bytes everywhere."""


@dataclass(frozen=True)
class Column:
    """One column for people.

    Attributes:
        title: its heading.
        show: the key of the value to show, or a function from the row to the text; the title by default.
        align: ``left`` for words, ``right`` for numbers.
        width: where the terminal table wraps the cell, in characters; None: never.
    """

    title: str
    show: str | Callable[[Row], str] | None = None
    align: Literal["left", "right"] = "left"
    width: int | None = None

    def cell(self, row: Row) -> str:
        """Return the text of *row*'s cell, not yet made safe."""
        if callable(self.show):
            return self.show(row)
        value = row[self.show or self.title]
        return NOTHING if value is None or value == "" else str(value)


@dataclass(frozen=True)
class Section:
    """A table with a heading above and notes below. Programs get its rows only."""

    columns: Sequence[Column | str]
    rows: Sequence[Row]
    title: str = ""
    notes: Sequence[str] = ()


def number(value: float | None, digits: int = 2) -> str:
    """Return *value* rounded for people, or a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """Return a proportion as a percentage for people, without the sign, or a dash for None."""
    return number(None if value is None else 100 * value, digits)


def render(columns: Sequence[Column | str], rows: Sequence[Row], format: Format) -> str:
    """Return one table as text that ends with a newline.

    Args:
        columns: what people see; a plain string is the key of a value and its heading. Not used for csv and json.
        rows: the data; each row has the same keys, in the order in which csv shows them. Values are strings,
            numbers, booleans or None (json also takes lists and mappings).
        format: one of `FORMATS`.
    """
    return render_sections([Section(columns, rows)], format)


def render_sections(sections: Sequence[Section], format: Format) -> str:
    """Return tables with their headings and notes as one text. csv and json join the rows of all sections."""
    if format == "json":
        return _json([row for section in sections for row in section.rows])
    if format == "csv":
        return _csv([row for section in sections for row in section.rows])
    return "\n".join(_section(section, format) for section in sections)


def _section(section: Section, format: Format) -> str:
    return _markdown_section(section) if format == "markdown" else _terminal_section(section)


def _terminal_section(section: Section) -> str:
    table = _tabulate(section, "simple", lambda column, text: _cell(safe(text), column.width))
    notes = "".join(f"\n{_note(note)}" for note in section.notes)
    heading = f"{safe(section.title)}\n\n" if section.title else ""
    return heading + table + "\n" + (f"{notes}\n" if notes else "")


def _markdown_section(section: Section) -> str:
    table = _tabulate(section, "pipe", lambda _, text: _markdown(text))
    notes = "".join(f"\n- {_markdown(note)}" for note in section.notes)
    heading = f"## {_markdown(section.title)}\n\n" if section.title else ""
    return heading + table + "\n" + (f"{notes}\n" if notes else "")


def _tabulate(section: Section, style: str, clean: Callable[[Column, str], str]) -> str:
    from tabulate import tabulate

    columns = [Column(column) if isinstance(column, str) else column for column in section.columns]
    return tabulate(
        [[clean(column, column.cell(row)) for column in columns] for row in section.rows],
        headers=[clean(column, column.title) for column in columns],
        tablefmt=style,
        colalign=[column.align for column in columns] if section.rows else None,
        disable_numparse=True,  # "007" is a name, not seven
    )


class _CellWrapper(textwrap.TextWrapper):
    """Breaks at blanks and after ``:`` or ``/``; within a word only where it is wider than the column."""

    wordsep_simple_re = re.compile(r"(\s+|(?<=[:/]))")


def _cell(text: str, width: int | None) -> str:
    return text if width is None else _CellWrapper(width, break_on_hyphens=False).fill(text)


def _note(text: str) -> str:
    """Break at blanks only: an address stays whole, however long."""
    return textwrap.fill(safe(text), WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def _markdown(text: str) -> str:
    """Escape what Markdown or HTML would act on; control characters, newlines included, as for the terminal."""
    marked = "".join(f"\\{c}" if c in r"\`*_[]|~#" else c for c in safe(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _csv(rows: Sequence[Row]) -> str:
    import csv
    from io import StringIO

    out = StringIO()
    keys = list(rows[0]) if rows else []
    writer = csv.DictWriter(out, keys, lineterminator="\n")
    if keys:
        writer.writeheader()
    writer.writerows({key: _csv_cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _csv_cell(value: Any) -> Any:
    """Keep a spreadsheet from taking text for a formula: a leading quote makes it text (OWASP, "CSV injection")."""
    if not isinstance(value, str):
        return value
    text = safe(value)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@＝＋－＠") else text


def _json(rows: Sequence[Row]) -> str:
    import json

    return json.dumps([dict(row) for row in rows], indent=2, allow_nan=False) + "\n"
