"""Delimited text: CSV and TSV."""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from coabench.base.lazy import Lazy
from coabench.scoring.formats.table import Content, Row, unreadable

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


def read_delimited(path: Path, text: str) -> Content:
    """Return the rows below the header. Empty lines do not count.

    A ``.csv`` whose header has no comma may have semicolons, as spreadsheets write it where the comma is decimal,
    or tabs.

    Raises:
        UserError: a row that does not fit the header, a column twice, quotes that do not close.
    """
    delimiter = DELIMITERS[path.suffix.casefold()]
    header = text.partition("\n")[0]
    if delimiter == "," and "," not in header:
        delimiter = next((other for other in ";\t" if other in header), delimiter)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: list[str] = []
    starts, numbers = array("q"), array("q")
    start, line = 0, 1
    try:
        for cells in reader:
            if cells and not columns:
                columns = [cell.strip() for cell in cells]
                check_once(path, columns, f"line {line}")
            elif cells:
                if len(cells) != len(columns):
                    expected = f"{len(columns)} values, as the header has"
                    raise unreadable(path, f"line {line}", expected, str(len(cells)))
                starts.append(start)
                numbers.append(line)
            line = reader.line_num + 1  # a quoted value may hold line breaks: a row is named by its first line
            start = lines.end
    except csv.Error as error:
        expected = "values between delimiters, quoted where they hold one"
        raise unreadable(path, f"line {line}", expected, str(error)) from None
    starts.append(start)

    def row(i: int) -> Row:
        cells = next(csv.reader([text[starts[i] : starts[i + 1]]], delimiter=delimiter, strict=True))
        return Row(numbers[i], dict(zip(columns, cells, strict=True)))

    return Content(Lazy(len(numbers), row), columns=columns)


class _Lines:
    """The lines of a text, and where the last one that was returned ends."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE.finditer(text)
        self.end = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.end = line.end()
            yield line[0]


def check_once(path: Path, columns: Sequence[str], where: str) -> None:
    """Check that no column stands twice."""
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise unreadable(path, where, "every column once", f"two columns {twice[0]!r}")
