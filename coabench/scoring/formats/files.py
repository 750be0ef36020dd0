"""From a file to its rows, by its ending; from these to a table of predictions, by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from coabench.base.reading import DATA, read_bytes, why
from coabench.errors import UserError, did_you_mean
from coabench.scoring.formats.confusion_matrix import CONFUSION_MATRIX
from coabench.scoring.formats.delimited import DELIMITERS, read_delimited
from coabench.scoring.formats.inspect_ai import INSPECT_AI, read_archive
from coabench.scoring.formats.json_text import read_document, read_lines
from coabench.scoring.formats.lm_eval import LM_EVAL
from coabench.scoring.formats.lmms_eval import LMMS_EVAL
from coabench.scoring.formats.spreadsheet import read_spreadsheet
from coabench.scoring.formats.table import Content, Format, Table, all_columns
from coabench.scoring.formats.vlmevalkit import VLMEVALKIT


class Ending(NamedTuple):
    """How files of one ending are read, and what a row of them is called."""

    read: Callable[[Path, bytes], Content]
    unit: str


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path.name} is not UTF-8 text",
            expected="UTF-8, with or without a byte order mark",
            found=f"byte 0x{error.object[error.start]:02x} in line {line}",
            remedy="save it as UTF-8",
        ) from None


_LINES = Ending(lambda path, data: read_lines(path, _text(path, data)), "line")
_DELIMITED = Ending(lambda path, data: read_delimited(path, _text(path, data)), "line")
ENDINGS: Mapping[str, Ending] = {
    **dict.fromkeys(DELIMITERS, _DELIMITED),
    **dict.fromkeys((".jsonl", ".ndjson"), _LINES),
    ".xlsx": Ending(read_spreadsheet, "row"),
    ".json": Ending(lambda path, data: read_document(path, _text(path, data)), "sample"),
    ".eval": Ending(read_archive, "sample"),
}

TABLE = Format(
    name="table",
    version=1,
    tool="any",
    recognised="no other format",
    reads="prediction, target, id, or the columns that options name",
    endings=tuple(ENDINGS),
    fits=lambda table: True,
    arrange=lambda table: table,
)
FORMATS: Mapping[str, Format] = {
    each.name: each for each in (LM_EVAL, LMMS_EVAL, VLMEVALKIT, INSPECT_AI, CONFUSION_MATRIX, TABLE)
}
"""The formats, in the order in which a file is tried: lm-eval's samples have all that lmms-eval's have, and more."""


def read_predictions(path: Path, name: str | None = None) -> tuple[Format, Table]:
    """Read a file of predictions.

    Args:
        name: of its format; None for the one that is recognised.

    Raises:
        UserError: no such file or format, another ending, other text than UTF-8, no rows, a row that cannot be read
            (with its place), or content that is not of the format.
    """
    if name is not None and name not in FORMATS:
        raise UserError(
            f"there is no format {name!r}",
            expected=", ".join(FORMATS),
            remedy=f"{did_you_mean(name, list(FORMATS))}`coabench score --list-formats` describes them",
        )
    table = _read(path)
    recognised = next(each for each in FORMATS.values() if path.suffix.casefold() in each.endings and each.fits(table))
    format = FORMATS[name] if name is not None else recognised
    if not format.fits(table):
        raise UserError(
            f"{path.name} is not of the format {format.name}",
            expected=format.recognised,
            found=f"the columns {', '.join(map(repr, table.columns))}",
            remedy=f"leave --format out: it is read as {recognised.name} then",
        )
    return format, format.arrange(table)


def _read(path: Path) -> Table:
    """Return what stands in a file."""
    ending = ENDINGS.get(path.suffix.casefold())
    if ending is None:
        raise UserError(
            f"{path.name} is in no format that can be read",
            expected=f"a file named {', '.join(ENDINGS)}, or the directory of a run",
            found=path.suffix or "no ending",
            remedy="name it after what it is; `coabench score --list-formats` describes what is read",
        )
    try:
        data = read_bytes(path, DATA)
    except OSError as error:
        raise UserError(f"the file {path} cannot be read", found=why(error), remedy="check the path") from None
    content = ending.read(path, data)
    rows = content.rows if isinstance(content.rows, Sequence) else list(content.rows)
    if not rows:
        raise UserError(f"{path.name} has no predictions", expected="one row per sample", found="no rows")
    digest = hashlib.sha256(data).hexdigest()
    columns = all_columns(rows) if content.columns is None else content.columns
    return Table(path, digest, columns, rows, ending.unit, content.about, notes=content.notes)
