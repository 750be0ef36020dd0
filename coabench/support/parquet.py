"""Parquet tables, as hubs of data sets hand them out: a few rows at a time, images only when they are looked at."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from coabench.base.json import parse_json
from coabench.base.reading import DATA
from coabench.errors import CoabenchError, UserError, one_line
from coabench.support.tree import Tree

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

PARQUET = ".parquet"
"""How the names of such tables end."""
INSTALL = "pip install 'coabench[parquet]'"
TABLE = 16 * DATA
"""Bytes of a table, which is read row by row; one of encoded images may hold a whole data set."""
ROWS = 32
"""How many rows are decoded at a time; some writers put all rows of a file into one group."""
KEPT = 8
"""How many times as many images stay in memory: threads ask for them nearly in order."""
BUFFER = 2**20
"""Bytes that are read at a time; without it, and with pre_buffer, all images of a group are."""


class Coded(int):
    """A whole number of which a table says what it is called."""

    name: str

    def __new__(cls, number: int, name: str) -> Self:
        """Make one."""
        coded = super().__new__(cls, number)
        coded.name = name
        return coded


@dataclass(frozen=True)
class Encoded:
    """The bytes of an image file in a table, read when they are needed; a column of a table may hold such."""

    images: Images
    column: str
    row: int
    length: int

    @property
    def name(self) -> str:
        return f"{self.images.path}, row {self.row + 1}"

    def read(self) -> bytes:
        return self.images.read(self.column, self.row)

    def size(self) -> int:
        return self.length

    def __str__(self) -> str:
        return "an image"


class Images:
    """The images of a table, whoever asks for them: threads, or processes that were forked or started anew."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.tree, self.path = tree, path
        self._readers: dict[int, _Reader] = {}

    def __reduce__(self) -> Any:
        return Images, (self.tree, self.path)

    def read(self, column: str, row: int) -> bytes:
        """Return the bytes in a row, from 0 on; `OSError` where they cannot be read."""
        process = os.getpid()
        with _as_reading():
            if process not in self._readers:
                self._readers = {process: _Reader(open_parquet(self.tree, self.path))}
            return self._readers[process].read(column, row)


@dataclass
class _Reader:
    """Reads rows nearly in order, a few at a time, and begins a group again for an earlier one."""

    file: ParquetFile
    lock: Lock = field(default_factory=Lock)
    kept: deque[tuple[str, int, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Column, first row, values."""
    batches: Iterator[Any] = field(default_factory=lambda: iter(()))
    column: str = ""
    next: int = 0
    end: int = 0
    """The rows that *batches* will yield of *column*."""

    def read(self, column: str, row: int) -> bytes:
        with self.lock:
            while (cell := self._kept(column, row)) is None:
                self._decode(column, row)
        value = cell.as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):  # of a table that has taken the place of the one that was listed
            raise OSError("no image is there any more")
        return data

    def _kept(self, column: str, row: int) -> Any:
        """Return a cell that is in memory, None for any other."""
        for name, start, values in self.kept:
            if name == column and start <= row < start + len(values):
                return values[row - start]
        return None

    def _decode(self, column: str, row: int) -> None:
        if column != self.column or not self.next <= row < self.end:
            self.column, (group, self.next, self.end) = column, self._group(row)
            self.batches = self.file.iter_batches(ROWS, row_groups=[group], columns=[column], use_threads=False)
        values = next(self.batches).column(0)
        self.kept.append((column, self.next, values))
        self.next += len(values)

    def _group(self, row: int) -> tuple[int, int, int]:
        """Return the group of a row, and its first row and the one after its last."""
        start = 0
        for group in range(self.file.num_row_groups):
            rows = self.file.metadata.row_group(group).num_rows
            if row < start + rows:
                return group, start, start + rows
            start += rows
        raise OSError(f"no row {row + 1}")


def open_parquet(tree: Tree, path: str) -> ParquetFile:
    """Open a table; `OSError` where it cannot be read, `UserError` without pyarrow."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(f"reading {path} needs the package pyarrow", found="not installed", remedy=INSTALL) from None
    with _as_reading():
        return pq.ParquetFile(tree.open(path, TABLE), buffer_size=BUFFER, pre_buffer=False)


@contextmanager
def _as_reading() -> Iterator[None]:
    """Turn what damaged data leads to into an `OSError`."""
    try:
        yield
    except (CoabenchError, OSError, MemoryError):
        raise
    except Exception as error:  # of pyarrow's, of many kinds
        raise OSError(one_line(error)) from None


def rows_of(tree: Tree, path: str, file: ParquetFile) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table: images as `Encoded`, numbers that have names as `Coded`, all else as it is."""
    columns = file.schema_arrow.names
    names, images, start = class_names(file), Images(tree, path), 0
    with _as_reading():
        for batch in file.iter_batches(ROWS, use_threads=False):
            cells = [_cells(batch.column(name), names.get(name), images, name, start) for name in columns]
            for row in zip(*cells, strict=True):
                yield dict(zip(columns, row, strict=True))
            start += batch.num_rows


def values_of(file: ParquetFile, column: str) -> set[Any]:
    """Return all that a column holds; `OSError` where it cannot be read, or holds lists and the like."""
    with _as_reading():
        return {value for batch in file.iter_batches(columns=[column]) for value in batch.column(0).to_pylist()}


def image_columns(file: ParquetFile) -> list[str]:
    """Return the columns of encoded images: bytes, or a struct of bytes and a path."""
    return [column.name for column in file.schema_arrow if _holds_images(column.type)]


def _holds_images(kind: Any) -> bool:
    import pyarrow as pa

    fields = {part.name for part in kind} if pa.types.is_struct(kind) else set()
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or not fields.isdisjoint({"bytes", "path"})


def class_names(file: ParquetFile) -> Mapping[str, Sequence[str]]:
    """Return column -> the names of its numbers, as the library ``datasets`` writes them into a table.

    Source: the key ``huggingface`` of the schema, ``{"info": {"features": {COLUMN: {"names": […], "_type":
    "ClassLabel"}}}}``.
    """
    try:
        features = parse_json((file.schema_arrow.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            column: tuple(feature["names"])
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and _are_names(feature.get("names"))
        }
    except (KeyError, TypeError, ValueError, AttributeError):  # absent, or of another form
        return {}


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _cells(column: Any, names: Sequence[str] | None, images: Images, name: str, start: int) -> Sequence[Any]:
    """Return the values of a column of some rows, the first of which is *start*."""
    import pyarrow as pa

    kind, parts = column.type, {"bytes": column}
    if not _holds_images(kind):
        cells = column.to_pylist()
        return cells if names is None else [_coded(cell, names) for cell in cells]
    if pa.types.is_struct(kind):
        parts = {part.name: values for part, values in zip(kind, column.flatten(), strict=True)}
    paths = parts["path"].to_pylist() if "path" in parts else [None] * len(column)
    data = parts.get("bytes")
    lengths = [None] * len(column) if data is None else _lengths(data)
    return [
        path if length is None else Encoded(images, name, start + position, length)
        for position, (path, length) in enumerate(zip(paths, lengths, strict=True))
    ]


def _lengths(data: Any) -> list[int | None]:
    import pyarrow.compute as pc

    lengths: list[int | None] = pc.binary_length(data).to_pylist()
    return lengths


def _coded(cell: Any, names: Sequence[str]) -> Any:
    known = isinstance(cell, int) and 0 <= cell < len(names)
    return Coded(cell, names[cell]) if known else cell
