"""Records as a pandas table: one sample per row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coabench.metrics.calibration import confidence_of
from coabench.metrics.confidences import is_right

if TYPE_CHECKING:
    from pandas import DataFrame, Series

NAN = float("nan")


def records_frame(records: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Return records, one sample per row; `coabench.load_records` lists the columns.

    No record is kept: what their columns hold grows with them, eight bytes and the texts that no other row has.
    """
    import pandas

    columns: dict[str, _Column] = {}
    texts: dict[str, str] = {}
    number = 0
    for number, record in enumerate(records, 1):
        for name, value in _cells(record):
            if (column := columns.get(name)) is None:
                column = columns[name] = _Column(number - 1)
            column.add(number - 1, texts.setdefault(value, value) if _repeats(name, value) else value)
    texts.clear()
    series = {}
    for name in list(columns):
        column = columns.pop(name)
        column.fill(number)
        series[name] = _series(column.values)
    return pandas.DataFrame(series, index=pandas.RangeIndex(number))


def frame(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Return rows as a table, also where a text is one that Arrow does not take."""
    import pandas

    try:
        return pandas.DataFrame(rows)
    except UnicodeEncodeError:  # Arrow has no strings with lone surrogates, as names that are no UTF-8 are
        table = pandas.DataFrame(rows, dtype=object)
        for name in table:
            with suppress(UnicodeEncodeError):
                table[name] = table[name].infer_objects()
        return table


class _Column:
    """The cells of a column so far: numbers of eight bytes as long as all are floats, else objects; NaN for none."""

    def __init__(self, missing: int) -> None:
        self.values: array[float] | list[Any] = array("d", [NAN]) * missing

    def add(self, row: int, value: Any) -> None:
        self.fill(row)
        if isinstance(self.values, array) and type(value) is not float:
            self.values = list(self.values)
        if len(self.values) > row:  # a second turn of the same name
            self.values[row] = value
        else:
            self.values.append(value)

    def fill(self, rows: int) -> None:
        """Make it *rows* cells long."""
        while len(self.values) < rows:
            self.values.append(NAN)


def _series(values: array[float] | list[Any]) -> Series:
    import numpy
    import pandas

    if isinstance(values, array):
        return pandas.Series(numpy.frombuffer(values, dtype=numpy.float64))
    try:
        return pandas.Series(values)
    except UnicodeEncodeError:  # see `frame`
        return pandas.Series(values, dtype=object)


def _repeats(name: str, value: Any) -> bool:
    """Whether a cell may hold a text that many others hold, too."""
    return type(value) is str and name not in ("id", "image")


def _cells(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("id", "image", "target", "prediction"):
        yield key, record.get(key)
    yield from (("correct", is_right(record)), ("confidence", confidence_of(record)))
    for key in ("status", "reason", "seconds"):
        yield key, record.get(key)
    for turn in record["turns"]:
        name = turn["name"]
        yield from ((f"response.{name}", turn["response"]), (f"label.{name}", turn["label"]))
        yield from ((f"scores.{name}.{option}", score) for option, score in (turn.get("scores") or {}).items())
    for kind in ("attributes", "votes"):
        yield from ((f"{kind}.{name}", value) for name, value in (record.get(kind) or {}).items())
