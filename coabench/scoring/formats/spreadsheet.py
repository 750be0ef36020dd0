"""Spreadsheets: the first sheet of an ``.xlsx`` file."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

from coabench.base.text import safe
from coabench.errors import UserError, one_line
from coabench.scoring.formats.archive import Archive
from coabench.scoring.formats.delimited import check_once
from coabench.scoring.formats.table import Content, Row, unreadable

INSTALL = "pip install 'coabench[xlsx]'"
KIND, REMEDY = "a spreadsheet (.xlsx)", "save it again, or as .csv"
ROWS, CELLS = 2**20, 10_000_000
"""Rows of a sheet, as Excel has them at most; and cells, empty ones among them included."""


def read_spreadsheet(path: Path, data: bytes) -> Content:
    """Return the rows of the first sheet below its header. Empty rows do not count.

    Formulas count as the values that were saved with them. Parsed by openpyxl through defusedxml, which refuses
    entities and whatever lies outside the file.

    Raises:
        UserError: a package is missing, or the file is damaged, too large, or has a column twice.
    """
    try:
        import defusedxml  # noqa: F401  # openpyxl takes it where it is there
        from openpyxl import load_workbook
    except ImportError:
        raise UserError(
            f"reading {path.name} needs the packages openpyxl and defusedxml", found="not installed", remedy=INSTALL
        ) from None
    Archive(path, data, KIND, REMEDY)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what the file says of them may be wrong
            rows = list(_rows(path, sheet.iter_rows(values_only=True)))
    except UserError:
        raise
    except Exception as error:  # openpyxl lets through whatever a damaged part leads to
        cause = one_line(error.__cause__ or error)
        raise UserError(f"{path.name} cannot be read", expected=KIND, found=cause, remedy=REMEDY) from None
    names = book.sheetnames
    notes = [f"{len(names)} sheets: the first, {safe(names[0], 60)!r}, is read"] if len(names) > 1 else []
    texts = dict.fromkeys(one_line(str(each.message)) for each in caught)
    notes += [f"openpyxl warns: {safe(text, 200)}" for text in texts if "default style" not in text]
    return Content(rows, notes=notes)


def _rows(path: Path, sheet: Iterator[tuple[Any, ...]]) -> Iterator[Row]:
    columns: list[str] = []
    cells = 0
    for number, values in enumerate(sheet, start=1):
        cells += len(values)
        if number > ROWS or cells > CELLS:
            raise UserError(
                f"{path.name} is too large", expected=f"at most {ROWS:,} rows and {CELLS:,} cells", found="more",
                remedy="save the table alone",
            )  # fmt: skip
        filled = max((at for at, value in enumerate(values, start=1) if value is not None), default=0)
        if filled and not columns:
            columns = ["" if value is None else str(value).strip() for value in values[:filled]]
            check_once(path, columns, f"row {number}")
        elif filled > len(columns):
            raise unreadable(path, f"row {number}", f"{len(columns)} values, as the header has", str(filled))
        elif filled:
            missing = [None] * (len(columns) - len(values))
            yield Row(number, dict(zip(columns, map(_value, (*values, *missing)), strict=False)))


def _value(value: Any) -> Any:
    """Return a cell as JSON has it."""
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)
