"""Documents for people to paste: headings, facts, quotations and tables, as Markdown or as a part of a LaTeX paper.

Text in them comes from models, files and users. Both formats make it harmless. The LaTeX has no preamble: it needs
``\\usepackage{array,booktabs,graphicx}``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from coabench.base.text import safe
from coabench.render.tables import Section, latex_text, markdown_text, render_sections

DocumentFormat = Literal["markdown", "latex"]
FORMATS: tuple[DocumentFormat, ...] = ("markdown", "latex")

PIECE, WORD = 8, 24
"""LaTeX may break a longer word, such as a hash or a path, after every so many characters."""

ROWS = 40
"""A float of more rows does not fit a page."""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is that of the document."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Quote:
    """Text that is shown as it is, character by character: a question, a command."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table of words that wrap.

    Attributes:
        widths: of the columns, as parts of the line, together below 1.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]


@dataclass(frozen=True)
class Table:
    """A table of numbers; LaTeX sets it as a float with the title of the section as its caption."""

    section: Section


Block = Heading | Text | Facts | Quote | Grid | Table


def render_document(blocks: Sequence[Block], format: DocumentFormat) -> str:
    """Return a document as text that ends with a newline."""
    if format == "markdown":
        return "\n".join(map(_markdown, blocks))
    needs = "% needs \\usepackage[utf8]{inputenc} and \\usepackage{array,booktabs,graphicx}\n"
    return needs + "\n".join(map(_latex, blocks))


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {markdown_text(text)}\n"
        case Text(text):
            return f"{markdown_text(text)}\n"
        case Facts(pairs):
            return "".join(f"- **{markdown_text(name)}:** {markdown_text(value)}\n" for name, value in pairs)
        case Quote(text):
            longest = max(map(len, re.findall("`+", text)), default=0)
            fence = "`" * max(3, longest + 1)
            return "\n".join([f"{fence}text", *map(safe, text.split("\n")), fence]) + "\n"
        case Grid(titles, rows):
            lines = [map(markdown_text, titles), ["---"] * len(titles), *(map(markdown_text, row) for row in rows)]
            return "".join(f"| {' | '.join(line)} |\n" for line in lines)  # not aligned: one cell may be a long list
        case Table(section):
            return render_sections([replace(section, title="")], "markdown")


_LEVELS = {1: "section", 2: "subsection", 3: "subsubsection"}


def _latex(block: Block) -> str:
    match block:
        case Heading(text, level):
            return rf"\{_LEVELS[level]}{{{latex_text(text)}}}" + "\n"
        case Text(text):
            return rf"\noindent {_breakable(text)}" + "\n"
        case Facts(pairs):
            items = [rf"  \item \textbf{{{latex_text(name)}:}} {_breakable(value)}" for name, value in pairs]
            tight = r"\begin{itemize}\small\raggedright\setlength{\itemsep}{0pt}\setlength{\parskip}{0pt}"
            return "\n".join([tight, *items, r"\end{itemize}"]) + "\n"
        case Quote(text):
            lines = "\\par\n  ".join(_literal(line) for line in text.split("\n"))
            return f"\\begin{{quote}}\\small\\ttfamily\\raggedright\n  {lines}\n\\end{{quote}}\n"
        case Grid():
            return _grid(block)
        case Table(section):
            parts = [section.rows[i : i + ROWS] for i in range(0, len(section.rows), ROWS)]
            notes = [()] * (len(parts) - 1) + [section.notes]
            return render_sections(
                [replace(section, rows=rows, notes=note) for rows, note in zip(parts, notes, strict=True)], "latex"
            )


def _grid(grid: Grid) -> str:
    """Return a grid as a table for each row: the columns have fixed widths, and a page may end after any row.

    A longtable does the same, but not in a paper of two columns.
    """
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width:.2f}\linewidth}}" for width in grid.widths)
    lines = [rf"  {' & '.join(map(_breakable, row))} \\" for row in grid.rows]
    lines[0] = "\n".join([r"  \toprule", f"  {' & '.join(map(latex_text, grid.titles))} \\\\", r"  \midrule", lines[0]])
    lines[-1] += "\n  \\bottomrule"
    begin = rf"\noindent\begin{{tabular}}[t]{{@{{}}{columns}@{{}}}}"
    tables = [f"{begin}\n{line}\n\\end{{tabular}}\\par" for line in lines]
    return "\n".join([r"{\small\setlength{\parskip}{0pt}\lineskip=0pt", *tables, r"}\medskip"]) + "\n"


def _breakable(text: str) -> str:
    """Return text for LaTeX in which a long word may be broken."""
    return " ".join(
        latex_text(word)
        if len(word) <= WORD
        else r"\allowbreak{}".join(latex_text(word[i : i + PIECE]) for i in range(0, len(word), PIECE))
        for word in safe(text).split(" ")
    )


_SIGNS = {"'": r"\textquotesingle{}", "`": r"\textasciigrave{}", '"': r"\symbol{34}", "-": "-{}"}
"""What a typewriter font would still turn into another sign, or join with the next."""


def _literal(line: str) -> str:
    """Return a line for LaTeX whose signs are those of the text: quotes stay straight, dashes apart."""
    return "".join(_SIGNS.get(part) or _breakable(part) for part in re.split(r"(['`\"-])", line) if part) or r"\ "
