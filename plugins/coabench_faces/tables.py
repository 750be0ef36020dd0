"""Tables on disk, as rows of named values: CSV, TSV, text, JSON lines, parquet, and a single value in an .npy file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any, NamedTuple, TextIO

from coabench.base.json import parse_json
from coabench.base.jsonlines import LONGEST
from coabench.base.reading import DATA, open_file, why
from coabench.base.schema import EachOnce, NotEmpty, Text, must
from coabench.errors import UserError
from coabench_faces.images import Encoded

SPACE = "space"
"""The separator that is any run of white space."""

Separator = Annotated[
    str, must(lambda text: len(text) == 1 or text == SPACE, f"one character, or {SPACE} for any white space")
]
Texts = Annotated[tuple[Text, ...], NotEmpty]

PARQUET = "pip install 'coabench[parquet]'"


TABLE = 16 * DATA
"""Bytes of a table, which is read row by row; one of encoded images may hold a whole data set."""
COLUMNS = 10_000


class TableRow(NamedTuple):
    """A row: where it stands, for messages; its number, from 1 on; its values by column."""

    where: str
    number: int
    values: dict[str, Any]


class BadRow(NamedTuple):
    """A row, or the rest of a table, that cannot be read."""

    where: str
    expected: str
    found: str


Rows = Iterator[TableRow | BadRow]


@dataclass
class Table:
    """A table: its columns, and its rows, which can be gone through once."""

    path: str
    columns: tuple[str, ...]
    rows: Iterable[TableRow | BadRow] = ()


@dataclass(frozen=True)
class Format:
    """How tables are written, where their name does not say it: names for columns without a header, a separator."""

    columns: Annotated[Texts, EachOnce] = ()
    separator: Separator | None = None


def read_table(root: Path, path: str, form: Format) -> Table:
    """Open a table below the data root. What cannot be read becomes a `BadRow`.

    Raises:
        UserError: the format is unknown, or needs a package that is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _READERS:
        raise UserError(
            f"the table {path} is of an unknown kind", expected=", ".join(_READERS), remedy="convert it, or rename it"
        )
    table = Table(path, form.columns)
    rows = _guarded(root / path, _READERS[suffix](root / path, table, form), path)
    first = next(rows, None)  # a reader knows the columns before it gives a row
    if first is not None:
        table.rows = chain((first,), rows)
    return table


def _guarded(file: Path, rows: Rows, path: str) -> Rows:
    try:
        open_file(file, TABLE).close()
        yield from rows
    except (OSError, EOFError, csv.Error, ValueError) as error:
        reason = "no UTF-8 text" if isinstance(error, UnicodeDecodeError) else why(error)
        yield BadRow(path, f"a {Path(path).suffix} file that can be read", reason)


def _delimited(path: Path, table: Table, form: Format) -> Rows:
    separator = form.separator or {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), SPACE)
    number = 0
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = _lines(stream)
        for line, cells in _spaced(lines) if separator == SPACE else _separated(lines, separator):
            where = f"{table.path}, line {line}"
            if not table.columns:
                table.columns = tuple(cells)
                name, times = Counter(cells).most_common(1)[0]
                if times > 1:
                    yield BadRow(where, "every column once", f"{name[:80]!r} twice")
                    return
                if len(cells) > COLUMNS:
                    yield BadRow(where, f"at most {COLUMNS:,} columns", f"{len(cells):,}")
                    return
                continue
            number += 1
            if len(cells) == len(table.columns):
                yield TableRow(where, number, dict(zip(table.columns, cells, strict=True)))
            else:
                expected = f"{len(table.columns)} cells: {', '.join(table.columns)}"[:200]
                yield BadRow(where, expected, f"{len(cells)}: {', '.join(cells)}"[:80])


def _lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines of a file; `ValueError` where one has no end."""
    while line := stream.readline(LONGEST):
        if len(line) == LONGEST:
            raise ValueError(f"a line of more than {LONGEST:,} characters")
        yield line


def _separated(stream: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, [cell.strip() for cell in cells]


def _spaced(stream: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield number, line.split()


def _json_lines(path: Path, table: Table, form: Format) -> Rows:
    rows: list[TableRow | BadRow] = []
    columns: dict[str, None] = {}  # the keys of all objects, in the order in which they come
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if line.strip():
                row = _json_row(line, f"{table.path}, line {number}", number)
                rows.append(row)
                columns.update(dict.fromkeys(row.values) if isinstance(row, TableRow) else {})
    table.columns = tuple(columns)
    for row in rows:
        yield row._replace(values={**columns, **row.values}) if isinstance(row, TableRow) else row


def _json_row(line: str, where: str, number: int) -> TableRow | BadRow:
    try:
        record = parse_json(line)
    except ValueError as error:
        return BadRow(where, "a JSON object", str(error))
    if not isinstance(record, dict):
        return BadRow(where, "a JSON object", line.strip()[:80])
    return TableRow(where, number, record)


def _parquet(path: Path, table: Table, form: Format) -> Rows:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            f"reading {table.path} needs the package pyarrow", found="not installed", remedy=PARQUET
        ) from None
    try:
        data = pq.read_table(path)
    except pa.ArrowException as error:
        yield BadRow(table.path, "a parquet file", str(error))
        return
    table.columns = tuple(data.column_names)
    columns = [_column(data.column(name), table.path) for name in table.columns]
    for number, cells in enumerate(zip(*columns, strict=True), start=1):
        yield TableRow(f"{table.path}, row {number}", number, dict(zip(table.columns, cells, strict=True)))


def _column(column: Any, path: str) -> Sequence[Any]:
    """Return the values of a column; encoded images stay where they are until they are read."""
    import pyarrow as pa

    struct = pa.types.is_struct(column.type) and {f.name for f in column.type} & {"bytes", "path"}
    if not struct and not pa.types.is_binary(column.type) and not pa.types.is_large_binary(column.type):
        values: list[Any] = column.to_pylist()
        return values

    def cell(row: int) -> Any:
        def fetch() -> bytes:
            value = column[row].as_py()
            data: bytes = value["bytes"] if struct else value
            return data

        if not column[row].is_valid:
            return None
        if struct and ("bytes" not in struct or not column[row]["bytes"].is_valid):
            return column[row]["path"].as_py() if "path" in struct else None
        return Encoded(fetch, f"{path}, row {row + 1}")

    return [cell(row) for row in range(len(column))]


def _npy(path: Path, table: Table, form: Format) -> Rows:
    import numpy as np

    try:
        value = np.load(path, allow_pickle=False)
    except (MemoryError, RecursionError, SyntaxError, TokenError):  # of a header that says anything
        raise ValueError("its header describes no array that fits") from None
    if value.size != 1:
        yield BadRow(table.path, "one value", f"{value.size}")
        return
    table.columns = form.columns or ("value",)
    yield TableRow(table.path, 1, {table.columns[0]: value.item()})


_READERS: dict[str, Callable[[Path, Table, Format], Rows]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".npy": _npy,
}

TABLES = frozenset(_READERS)
"""How the names of tables end."""
