"""Tables of predictions: CSV, TSV or JSONL, read into rows of texts that know their line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.json import each_once, parse_json
from coabench.base.reading import DATA, read_bytes, why
from coabench.base.text import safe
from coabench.errors import UserError, did_you_mean

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
OBJECTS = (".jsonl", ".ndjson")
SHOWN = 10
"""How many of many mistakes an error lists."""


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, and its values as they stand there (texts; JSON values from JSONL)."""

    line: int
    values: Mapping[str, Any]

    def text(self, column: str) -> str:
        """Return the value as text, the empty string where there is none: nothing, null or NaN."""
        value = self.values.get(column)
        text = "" if value is None else str(value).strip()
        return "" if text.casefold() == "nan" else text

    def quoted(self, column: str) -> str:
        """Return the value as a message quotes it."""
        value = self.values.get(column)
        text = "" if value is None else safe(value, 60).strip()
        return "NaN" if text.casefold() == "nan" else repr(text) if text else "nothing"


@dataclass(frozen=True)
class Table:
    """A file of predictions: the SHA-256 of its bytes, its columns in their order, and its rows."""

    path: Path
    sha256: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def check_columns(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Check that the columns are there.

        Args:
            wanted: option -> the columns it names.

        Raises:
            UserError: naming the columns that it has.
        """
        for option, columns in wanted.items():
            for column in columns:
                if column not in self.columns:
                    raise UserError(
                        f"{self.path.name} has no column {column!r}",
                        expected=f"a column for {option}",
                        found=", ".join(map(repr, self.columns)),
                        remedy=f"{did_you_mean(column, list(self.columns))}name it with {option}",
                    )

    def wrong(self, noun: str, what: str, mistakes: Sequence[str], expected: str, remedy: str = "") -> UserError:
        """Return the error that lists the *mistakes*, the first ten of many: "FILE: 12 rows are WHAT"."""
        more = [f"… and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
        return UserError(
            f"{self.path.name}: {counted(len(mistakes), noun)} {what}",
            expected=expected,
            found="".join(f"\n    {line}" for line in (*mistakes[:SHOWN], *more)),
            remedy=remedy or "correct the file",
        )


def read_table(path: Path) -> Table:
    """Read a file of predictions. How it is read follows from its name.

    A ``.csv`` whose header has no comma may have semicolons, as spreadsheets write it where the comma is decimal.
    UTF-8, with or without a byte order mark; empty lines do not count.

    Raises:
        UserError: no such file, another format, other text than UTF-8, no rows, a row that does not fit the header
            (with its line).
    """
    suffix = path.suffix.casefold()
    if suffix not in (*DELIMITED, *OBJECTS):
        raise UserError(
            f"{path.name} is in no format that can be read",
            expected=f"a file named {', '.join((*DELIMITED, *OBJECTS))}, or the directory of a run",
            found=suffix or "no ending",
            remedy="name it after what it is; JSON must be one object per line (.jsonl)",
        )
    data = _read(path)
    text = _decoded(path, data)
    rows = list(_objects(path, text) if suffix in OBJECTS else _records(path, text, DELIMITED[suffix]))
    if not rows:
        raise UserError(f"{path.name} has no predictions", expected="one row per sample", found="no rows")
    return Table(
        path,
        hashlib.sha256(data).hexdigest(),
        list(dict.fromkeys(column for row in rows for column in row.values)),
        rows,
    )


def counted(count: int, noun: str) -> str:
    """Return "1 row is", "2 rows are"."""
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path, DATA)
    except OSError as error:
        raise UserError(f"the file {path} cannot be read", found=why(error), remedy="check the path") from None


def _decoded(path: Path, data: bytes) -> str:
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


def _records(path: Path, text: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows of a delimited file."""
    header = text.partition("\n")[0]
    if delimiter == "," and "," not in header and ";" in header:
        delimiter = ";"
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for cells in lines:
            if cells and not columns:
                columns = [cell.strip() for cell in cells]
                _once(path, columns, line)
            elif cells:
                if len(cells) != len(columns):
                    raise _unreadable(path, line, f"{len(columns)} values, as the header has", str(len(cells)))
                yield Row(line, dict(zip(columns, cells, strict=True)))
            line = lines.line_num + 1  # a quoted value may hold line breaks: a row is named by its first line
    except csv.Error as error:
        raise _unreadable(path, line, "values between delimiters, quoted where they hold one", str(error)) from None


def _objects(path: Path, text: str) -> Iterator[Row]:
    """Yield the rows of a file with one JSON object per line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line, _ROWS)
        except ValueError as error:
            raise _unreadable(path, number, "one JSON object per line", str(error)) from None
        if not isinstance(value, dict):
            raise _unreadable(path, number, "one JSON object per line", type(value).__name__)
        yield Row(number, value)


def _number(text: str) -> float | str:
    """Return a number that JSON can hold again; one that it cannot stays text, as NaN and Infinity do."""
    return float(text) if math.isfinite(float(text)) else text


_ROWS = json.JSONDecoder(parse_constant=str, parse_float=_number, object_pairs_hook=each_once)


def _once(path: Path, columns: Sequence[str], line: int) -> None:
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise _unreadable(path, line, "every column once", f"two columns {twice[0]!r}")


def _unreadable(path: Path, line: int, expected: str, found: str) -> UserError:
    return UserError(f"{path.name}: line {line} cannot be read", expected=expected, found=found, remedy="correct it")
