"""Printing tables: for people (``table``, ``markdown``, ``latex``, ``html``) and for programs (``csv``, ``json``).

A row is a mapping of raw values. Columns are the people's view of it: each says how to show a row in one cell. csv
and json have no use for columns; they carry the rows themselves, at full precision. So nobody rounds a number that
a program will read, and a cell for people may join several values ("60.87 [56.5, 65.3]"). A table that is given `Room`
fits into it (`coabench.render.fitting`).

Text in rows comes from models, files and users. Each format makes it harmless for its medium.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from coabench.base.text import NOTHING, safe
from coabench.render.fitting import Size, fit, length, size, wrap

if TYPE_CHECKING:
    from markupsafe import Markup

Format = Literal["table", "markdown", "csv", "json", "latex", "html"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json", "latex", "html")

Row = Mapping[str, Any]
WIDTH = 120
"""Where the terminal format wraps notes, in a narrower terminal at its width."""


@dataclass(frozen=True)
class Room:
    """What a table in a terminal has to fit into.

    Attributes:
        width: in characters.
        more: a sentence about how to see the columns that are left out.
    """

    width: int
    more: str = "A wider terminal shows them."


@dataclass(frozen=True)
class Column:
    """One column for people.

    Attributes:
        title: its heading.
        show: the key of the value to show, or a function from the row to the text; the title by default.
        align: ``left`` for words, ``right`` for numbers.
        width: where a terminal without room for all wraps the cell first, in characters (LaTeX always); None: last.
        wide: shown only where there is space: in Markdown and HTML, and in a terminal that is wide enough.
        kept: it identifies a row or is what the table is about: other columns leave a narrow terminal before.
        value: the key of the number by which an HTML table sorts this column; *show* where that is a number.
        choices: an HTML table offers to show the rows with one of this column's texts only.
        pictures: the texts are data URIs of images, which only an HTML table shows.
        first: an HTML table begins with these: what a narrow screen shows without scrolling.
        whole: a cell of an HTML table never breaks, as a date must not.
        link: the key of the address that a cell of an HTML table leads to.
    """

    title: str
    show: str | Callable[[Row], str] | None = None
    align: Literal["left", "right"] = "left"
    width: int | None = None
    wide: bool = False
    kept: bool = False
    value: str | None = None
    choices: bool = False
    pictures: bool = False
    first: bool = False
    whole: bool = False
    link: str | None = None

    def cell(self, row: Row) -> str:
        """Return the text of *row*'s cell, not yet made safe."""
        if callable(self.show):
            return self.show(row)
        value = row[self.show or self.title]
        return NOTHING if value is None or value == "" else str(value)

    def number(self, row: Row) -> float | None:
        """Return the number to sort *row* by, or None where this column has none."""
        key = self.value or (self.show if isinstance(self.show, str) else self.title)
        value = row.get(key)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Section:
    """A table with a heading above and notes below.

    Programs get its rows only; a page also gets the *chart*, which is made when it is asked for. *anchor* names the
    section in a page's address, which there holds how it is sorted; its number does where that is empty.
    """

    columns: Sequence[Column | str]
    rows: Sequence[Row]
    title: str = ""
    notes: Sequence[str] = ()
    chart: Callable[[], Markup | None] | None = None
    anchor: str = ""

    def columns_for(self, format: Format) -> list[Column]:
        """Return the columns that this format has space for."""
        columns = [Column(column) if isinstance(column, str) else column for column in self.columns]
        columns = [column for column in columns if format == "html" or not column.pictures]
        if format == "html":
            columns.sort(key=lambda column: not column.first)
        return [column for column in columns if not column.wide] if format == "latex" else columns


def render(columns: Sequence[Column | str], rows: Sequence[Row], format: Format, room: Room | None = None) -> str:
    """Return one table as text that ends with a newline.

    Args:
        columns: what people see; a plain string is the key of a value and its heading. Not used for csv and json.
        rows: the data; each row has the same keys, in the order in which csv shows them. Values are strings,
            numbers, booleans or None (json also takes lists and mappings).
        format: one of `FORMATS`.
        room: what ``table`` has to fit into; None: every column, and every row on one line.
    """
    return render_sections([Section(columns, rows)], format, room=room)


def render_sections(
    sections: Sequence[Section], format: Format, heading: str = "coabench", room: Room | None = None
) -> str:
    """Return tables with their headings and notes as one text. csv and json join the rows of all sections.

    Args:
        heading: the title of an HTML page.
        room: what ``table`` has to fit into; None: every column, and every row on one line.
    """
    if format == "json":
        return _json([row for section in sections for row in section.rows])
    if format == "csv":
        return _csv([row for section in sections for row in section.rows])
    if format == "html":
        from coabench.render.page import HERE, render_page

        return render_page(HERE / "tables.html", heading=heading, sections=sections)
    if format == "table":
        return "\n".join(_terminal_section(section, room) for section in sections)
    return "\n".join((_markdown_section if format == "markdown" else _latex_section)(each) for each in sections)


def render_fragment(sections: Sequence[Section]) -> str:
    """Return tables with their headings and notes as HTML to stand in another page, such as a notebook: no charts.

    Text is escaped as in a page (`coabench.render.page`).
    """
    from coabench.render.page import HERE, render_template

    plain = [replace(section, chart=None) for section in sections]
    return render_template(HERE / "sections.html", heading="", sections=plain)


def _terminal_section(section: Section, room: Room | None) -> str:
    columns = section.columns_for("table")
    titles = [safe(column.title) for column in columns]
    cells = [[safe(column.cell(row)) for column in columns] for row in section.rows]
    notes, width = list(section.notes), WIDTH
    if room is not None:
        width = min(WIDTH, room.width)
        fitted = fit([_size(i, columns, titles, cells) for i in range(len(columns))], room.width)
        columns, titles = [columns[i] for i in fitted], [wrap(titles[i], fitted[i]) for i in fitted]
        cells = [[wrap(row[i], fitted[i]) for i in fitted] for row in cells]
        if left_out := [column.title for i, column in enumerate(section.columns_for("table")) if i not in fitted]:
            notes.append(f"Left out, for want of width: {', '.join(left_out)}. {room.more}")
    heading = f"{_fill(section.title, width)}\n\n" if section.title else ""
    shown = "".join(f"\n{_fill(note, width)}" for note in notes)
    return heading + _ruled(columns, titles, cells) + "\n" + (f"{shown}\n" if shown else "")


def _size(i: int, columns: Sequence[Column], titles: Sequence[str], cells: Sequence[Sequence[str]]) -> Size:
    """Return the sizes of a column: the first never leaves, those that are kept leave after all others."""
    column = columns[i]
    leaves = 0 if i == 0 else i + (not column.kept) * len(columns) + column.wide * 2 * len(columns)
    texts = [row[i] for row in cells]
    return size(titles[i], texts, column.width, column.align == "left", leaves, column.wide)


def _markdown_section(section: Section) -> str:
    columns = section.columns_for("markdown")
    cells = [[markdown_text(column.cell(row)) for column in columns] for row in section.rows]
    table = _tabulate(columns, cells, "pipe", [markdown_text(column.title) for column in columns])
    notes = "".join(f"\n- {markdown_text(note)}" for note in section.notes)
    heading = f"## {markdown_text(section.title)}\n\n" if section.title else ""
    return heading + table + "\n" + (f"{notes}\n" if notes else "")


def _ruled(columns: Sequence[Column], titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a table with a rule below its titles; tabulate alone would make every title two characters wider."""
    lines = [[line for row in (titles, *cells) for line in row[i].split("\n")] for i in range(len(columns))]
    rules = ["-" * max(map(length, each)) for each in lines]
    return _tabulate(columns, [titles, rules, *cells], "plain")


def _tabulate(columns: Sequence[Column], cells: Sequence[Sequence[str]], form: str, titles: Sequence[str] = ()) -> str:
    from tabulate import tabulate

    return tabulate(
        cells,
        headers=titles,
        tablefmt=form,
        colalign=[column.align for column in columns] if cells else None,
        disable_numparse=True,  # "007" is a name, not seven
    )


def _latex_section(section: Section) -> str:
    columns = section.columns_for("latex")
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\begin{table}",
        *([rf"  \caption{{{latex_text(section.title)}}}"] if section.title else []),
        r"  \centering\small",
        rf"  \sbox0{{\begin{{tabular}}{{{''.join(column.align[0] for column in columns)}}}",
        r"    \toprule",
        "    " + " & ".join(latex_text(column.title) for column in columns) + r" \\",
        r"    \midrule",
        *("    " + " & ".join(_latex_cell(column, row) for column in columns) + r" \\" for row in section.rows),
        r"    \bottomrule",
        r"  \end{tabular}}%",
        r"  \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        *([r"  \begin{flushleft}\footnotesize"] if section.notes else []),
        *(rf"    {latex_text(note)}\par" for note in section.notes),
        *([r"  \end{flushleft}"] if section.notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(column: Column, row: Row) -> str:
    text = safe(column.cell(row))
    lines = [latex_text(line) for line in (text if column.width is None else wrap(text, column.width)).split("\n")]
    stacked = r" \\ ".join(lines)
    return (
        stacked if len(lines) == 1 else rf"\begin{{tabular}}[t]{{@{{}}{column.align[0]}@{{}}}}{stacked}\end{{tabular}}"
    )


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "[": "{[}", "]": "{]}", "–": r"\textendash{}", "−": "$-$", "×": r"$\times$",
    "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\dots{}", "±": r"$\pm$", "κ": r"$\kappa$", "’": "'", "“": "``", "”": "''",
    "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
"""What LaTeX would act on, and the signs of our own tables."""


def latex_text(text: str) -> str:
    """Escape text for pdflatex. A letter that it has no glyph for by default is written as its escape sequence."""
    escaped = "".join(_LATEX.get(c) or (c if c.isascii() or c in _LATIN else _escape(c)) for c in safe(text))
    return escaped.replace("--", "-{}-")  # the dashes of an option, which LaTeX would join to one


_LATIN = frozenset(map(chr, range(0xC0, 0x180)))
"""Letters of Latin-1 and Latin Extended-A, which LaTeX takes as they are."""


def _escape(character: str) -> str:
    return "".join(_LATEX.get(c, c) for c in character.encode("unicode_escape").decode())


def _fill(text: str, width: int) -> str:
    """Break at blanks only: an address stays whole, however long."""
    return textwrap.fill(safe(text), width, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def markdown_text(text: str) -> str:
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
    writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def csv_cell(value: Any) -> Any:
    """Keep a spreadsheet from taking text for a formula: a leading quote makes it text (OWASP, "CSV injection")."""
    if not isinstance(value, str):
        return value
    text = safe(value)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@＝＋－＠") else text


def _json(rows: Sequence[Row]) -> str:
    import json

    return json.dumps([dict(row) for row in rows], indent=2, allow_nan=False) + "\n"
