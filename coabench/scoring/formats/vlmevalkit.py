"""VLMEvalKit's result files: the table of the data set with a column ``prediction``.

``MODEL_DATASET.xlsx``, or ``.tsv``: `vlmeval/inference.py` adds ``prediction`` to the data set's table and drops
``image``. The options of a multiple-choice question stand in columns A, B, C…, and ``answer`` is the right letter.
"""

from __future__ import annotations

from dataclasses import replace

from coabench.base.lazy import Lazy
from coabench.scoring.formats.options import options_of
from coabench.scoring.formats.table import Format, Row, Table

COLUMNS = ("index", "question", "answer", "prediction")


def _with_options(row: Row) -> Row:
    return replace(row, options=options_of(row.values))


def _arrange(table: Table) -> Table:
    rows = Lazy(len(table.rows), lambda i: _with_options(table.rows[i]))
    return replace(table, rows=rows, defaults={"prediction": "prediction", "target": "answer", "id": "index"})


VLMEVALKIT = Format(
    name="vlmevalkit",
    version=1,
    tool="VLMEvalKit 0.1",
    recognised=f"the columns {', '.join(COLUMNS)}",
    reads="prediction, answer, index; the options in A, B, C…",
    endings=(".xlsx", ".tsv"),
    fits=lambda table: set(COLUMNS) <= set(table.columns),
    arrange=_arrange,
)
