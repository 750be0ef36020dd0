"""Delimited text: CSV and TSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from coabench.scoring.formats.table import Row, unreadable

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


def read_delimited(path: Path, text: str) -> Iterator[Row]:
    """Yield the rows below the header. Empty lines do not count.

    A ``.csv`` whose header has no comma may have semicolons, as spreadsheets write it where the comma is decimal,
    or tabs.

    Raises:
        UserError: a row that does not fit the header, a column twice, quotes that do not close.
    """
    delimiter = DELIMITERS[path.suffix.casefold()]
    header = text.partition("\n")[0]
    if delimiter == "," and "," not in header:
        delimiter = next((other for other in ";\t" if other in header), delimiter)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for cells in lines:
            if cells and not columns:
                columns = [cell.strip() for cell in cells]
                check_once(path, columns, f"line {line}")
            elif cells:
                if len(cells) != len(columns):
                    expected = f"{len(columns)} values, as the header has"
                    raise unreadable(path, f"line {line}", expected, str(len(cells)))
                yield Row(line, dict(zip(columns, cells, strict=True)))
            line = lines.line_num + 1  # a quoted value may hold line breaks: a row is named by its first line
    except csv.Error as error:
        expected = "values between delimiters, quoted where they hold one"
        raise unreadable(path, f"line {line}", expected, str(error)) from None


def check_once(path: Path, columns: Sequence[str], where: str) -> None:
    """Check that no column stands twice."""
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise unreadable(path, where, "every column once", f"two columns {twice[0]!r}")
