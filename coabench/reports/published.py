"""Published results: numbers from the literature, each with where it can be checked.

They are shown beside runs and never ranked with them: nobody here saw the predictions. One YAML file holds the rows of
one split of a data set; the values are percentages, as printed. See ``results/README.md`` for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coabench.base import shipped
from coabench.base.schema import At, NotEmpty, Text, must, read_fields, read_file

METRICS = ("uar", "war", "macro_f1")
SCHEMA = 1


Percent = Annotated[float, must(lambda value: 0 < value <= 100, "a percentage above 0")]
Hits = Annotated[tuple[int, int], must(lambda pair: 0 <= pair[0] <= pair[1] > 0, "label: [hits, samples]")]


@dataclass(frozen=True)
class PublishedResult:
    """One row of the literature.

    Attributes:
        dataset, split: what it was measured on.
        name: the method, as its authors call it.
        work: authors, title, venue.
        url: where the work is.
        table: where in it, or in which other table, the number stands.
        uar, war, macro_f1: in percent, as printed; at least one of them.
        note: what a reader must know to compare it.
        per_class: label -> (hits, samples), where they were published.
    """

    dataset: str
    split: str
    name: Text
    work: Text
    url: Text
    table: Text
    uar: Percent | None = None
    war: Percent | None = None
    macro_f1: Percent | None = None
    note: str | None = None
    per_class: Annotated[Mapping[str, Hits], NotEmpty] | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> proportion within 0…1; at least one of `METRICS`."""
        return {name: round(value / 100, 9) for name in METRICS if (value := getattr(self, name)) is not None}

    @property
    def source(self) -> str:
        """Where to check the number, as one line."""
        return f"{self.work}, {self.url} ({self.table})"


def load_published(folder: Path | None = None) -> list[PublishedResult]:
    """Return the rows of all files in *folder*, by default those that ship with coabench.

    Raises:
        UserError: a file cannot be read, or a row lacks a metric or its source, or contradicts itself.
    """
    files = sorted((folder or shipped.path("results", "published")).glob("*.yaml"))
    return [result for file in files for result in _read_file(file)]


@dataclass(frozen=True)
class _Table:
    """A file of rows."""

    dataset: str
    split: str
    rows: tuple[Mapping[str, Any], ...]


def _read_file(file: Path) -> list[PublishedResult]:
    table = read_file(_Table, file, "file of published results", schema=SCHEMA)
    at = At(file).field("rows")
    return [_read_row(row, at.item(i), dataset=table.dataset, split=table.split) for i, row in enumerate(table.rows)]


def _read_row(row: Mapping[str, Any], at: At, **of: Any) -> PublishedResult:
    result = read_fields(PublishedResult, row, at, **of)
    if not result.metrics:
        raise at.wrong("there is no metric", f"at least one of {', '.join(METRICS)}, in percent")
    for metric, derived in _derived(result.per_class or {}).items():
        printed = getattr(result, metric)
        if printed is not None and abs(printed - derived) > 0.0051:
            raise at.wrong(f"per_class gives {metric} {derived:.2f}", f"the {metric} beside it, {printed}")
    return result


def _derived(counts: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """Return the metrics that the hits per class give, in percent."""
    if not counts:
        return {}
    return {
        "uar": 100 * sum(hits / n for hits, n in counts.values()) / len(counts),
        "war": 100 * sum(hits for hits, _ in counts.values()) / sum(n for _, n in counts.values()),
    }
