"""Tables on disk, as rows of named values: CSV, TSV, text, JSON lines, parquet, and a single value in an .npy file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from pathlib import PurePosixPath
from tokenize import TokenError
from typing import Annotated, Any, BinaryIO, NamedTuple, TextIO

from coabench.base.json import parse_json
from coabench.base.jsonlines import LONGEST
from coabench.base.reading import why
from coabench.base.schema import EachOnce, NotEmpty, Text, must
from coabench.errors import UserError
from coabench.support.parquet import TABLE, open_parquet, rows_of
from coabench.support.tree import Tree

SPACE = "space"
"""The separator that is any run of white space."""

Separator = Annotated[
    str, must(lambda text: len(text) == 1 or text == SPACE, f"one character, or {SPACE} for any white space")
]
Texts = Annotated[tuple[Text, ...], NotEmpty]
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


class _File(NamedTuple):
    tree: Tree
    path: str

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix.lower()

    def open(self) -> BinaryIO:
        return self.tree.open(self.path, TABLE)

    def open_text(self, newline: str | None = None) -> TextIO:
        return TextIOWrapper(self.open(), "utf-8-sig", newline=newline)


def read_table(tree: Tree, path: str, form: Format) -> Table:
    """Open a table below the data root. What cannot be read becomes a `BadRow`.

    Raises:
        UserError: the format is unknown, or needs a package that is not installed.
    """
    file = _File(tree, path)
    if file.suffix not in _READERS:
        raise UserError(
            f"the table {path} is of an unknown kind", expected=", ".join(_READERS), remedy="convert it, or rename it"
        )
    table = Table(path, form.columns)
    rows = _guarded(_READERS[file.suffix](file, table, form), file)
    first = next(rows, None)  # a reader knows the columns before it gives a row
    if first is not None:
        table.rows = chain((first,), rows)
    return table


def _guarded(rows: Rows, file: _File) -> Rows:
    try:
        yield from rows
    except (OSError, EOFError, csv.Error, ValueError) as error:
        reason = "no UTF-8 text" if isinstance(error, UnicodeDecodeError) else why(error)
        yield BadRow(file.path, f"a {file.suffix} file that can be read", reason)


def _delimited(file: _File, table: Table, form: Format) -> Rows:
    separator = form.separator or {".csv": ",", ".tsv": "\t"}.get(file.suffix, SPACE)
    number = 0
    with file.open_text(newline="") as stream:
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


def _json_lines(file: _File, table: Table, form: Format) -> Rows:
    rows: list[TableRow | BadRow] = []
    columns: dict[str, None] = {}  # the keys of all objects, in the order in which they come
    with file.open_text() as stream:
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


def _parquet(file: _File, table: Table, form: Format) -> Rows:
    parquet = open_parquet(file.tree, file.path)
    table.columns = tuple(parquet.schema_arrow.names)
    for number, values in enumerate(rows_of(file.tree, file.path, parquet), start=1):
        yield TableRow(f"{table.path}, row {number}", number, values)


def _npy(file: _File, table: Table, form: Format) -> Rows:
    import numpy as np

    try:
        with file.open() as stream:
            value = np.load(stream, allow_pickle=False)
    except (MemoryError, RecursionError, SyntaxError, TokenError):  # of a header that says anything
        raise ValueError("its header describes no array that fits") from None
    if value.size != 1:
        yield BadRow(table.path, "one value", f"{value.size}")
        return
    table.columns = form.columns or ("value",)
    yield TableRow(table.path, 1, {table.columns[0]: value.item()})


_READERS: dict[str, Callable[[_File, Table, Format], Rows]] = {
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
