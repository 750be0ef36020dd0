"""A confusion matrix: how many samples of each true label, a row, were given each label, a column.

The first cell of the header is anything; a column ``INVALID`` counts answers without a label. A matrix knows no
samples: every count becomes that many records, with ids that no other file has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coabench.base.vocabulary import INVALID
from coabench.errors import UserError
from coabench.scoring.formats.table import Format, Row, Table

MOST = 500_000
"""Samples that a matrix may count."""
NOTE = (
    "a confusion matrix has no samples: each count became a record with an id of its own, so that no other run is "
    "about the same samples, and intervals take them for independent"
)


def _classes(table: Table) -> Sequence[str]:
    """Return the labels that the columns count, ``INVALID`` among them, below a header with names of rows."""
    return list(table.columns)[1:]


def _fits(table: Table) -> bool:
    classes = [name for name in _classes(table) if name.casefold() != INVALID]
    if not 1 < len(table.rows) == len(classes):  # of a million rows, none need be looked at
        return False
    rows = [row.text(table.columns[0]) for row in table.rows]
    return len(set(rows)) == len(rows) and sorted(rows) == sorted(classes)


def _arrange(table: Table) -> Table:
    rows: list[Row] = []
    wrong = []
    for row in table.rows:
        for predicted in _classes(table):
            count = row.text(predicted).removesuffix(".0") or "0"
            if not (count.isascii() and count.isdecimal() and len(count) < 10):
                wrong.append(f"{table.at(row)}, {predicted!r}: {row.quoted(predicted)}")
                continue
            if len(rows) + int(count) > MOST:
                raise table.wrong("count", "too large", [f"{table.at(row)}, {predicted!r}: {count}"],
                                  f"at most {MOST:,} samples")  # fmt: skip
            label = None if predicted.casefold() == INVALID else predicted
            numbers = range(len(rows) + 1, len(rows) + int(count) + 1)
            values = {"target": row.text(table.columns[0]), "prediction": label}
            rows.extend(Row(row.line, {"id": f"{table.sha256[:12]}_{n}", **values}) for n in numbers)
    if wrong:
        raise table.wrong("cell", "no count", wrong, "whole numbers of samples; shares tell no interval")
    if not rows:
        raise UserError(f"{table.path.name} counts no samples", expected="a count above 0", remedy="correct the file")
    return replace(table, rows=rows, columns=["id", "target", "prediction"], notes=[*table.notes, NOTE])


CONFUSION_MATRIX = Format(
    name="confusion-matrix",
    version=1,
    tool="any",
    recognised="the same names in the header and in the first column",
    reads="counts: rows are true, columns predicted, INVALID may be one",
    endings=(".csv", ".tsv", ".tab", ".xlsx"),
    fits=_fits,
    arrange=_arrange,
)
