"""Records as a pandas table: one sample per row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coabench.metrics.calibration import confidence_of
from coabench.metrics.confidences import is_right

if TYPE_CHECKING:
    from pandas import DataFrame


def records_frame(records: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Return records, one sample per row; `coabench.load_records` lists the columns."""
    return frame([_flat(record) for record in records])


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


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: record.get(key) for key in ("id", "image", "target", "prediction")}
    row |= {"correct": is_right(record), "confidence": confidence_of(record)}
    row |= {key: record.get(key) for key in ("status", "reason", "seconds")}
    for turn in record["turns"]:
        name = turn["name"]
        row |= {f"response.{name}": turn["response"], f"label.{name}": turn["label"]}
        row |= {f"scores.{name}.{option}": score for option, score in (turn.get("scores") or {}).items()}
    for kind in ("attributes", "votes"):
        row |= {f"{kind}.{name}": value for name, value in (record.get(kind) or {}).items()}
    return row
