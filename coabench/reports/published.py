"""Published results: numbers from the literature, each with the place where it can be checked.

They are shown beside runs and never ranked with them: nobody here saw the predictions. One YAML file holds the rows of
one split of a data set; the values are percentages, as printed. See ``results/README.md`` for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base import shipped
from coabench.base.yaml import read_yaml
from coabench.errors import UserError

METRICS = ("uar", "war", "macro_f1")
_NEEDED = ("name", "work", "url", "table")


@dataclass(frozen=True)
class PublishedResult:
    """One row of the literature.

    Attributes:
        dataset, split: what it was measured on.
        name: the method, as its authors call it.
        metrics: metric -> proportion within 0…1; at least one of `METRICS`.
        work: authors, title, venue.
        url: where the work is.
        table: where in it, or in which other table, the number stands.
        note: what a reader must know to compare it.
        per_class: label -> (hits, samples), where they were published.
    """

    dataset: str
    split: str
    name: str
    metrics: Mapping[str, float]
    work: str
    url: str
    table: str
    note: str | None = None
    per_class: Mapping[str, tuple[int, int]] | None = None

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


def _read_file(file: Path) -> list[PublishedResult]:
    data = read_yaml(file, what="file of published results")
    rows = data.get("rows")
    if set(data) != {"dataset", "split", "rows"} or not isinstance(rows, list):
        raise _bad(file, "its fields do not fit", "dataset, split, and a list of rows")
    return [_result(row, str(data["dataset"]), str(data["split"]), f"{file}, row {i}") for i, row in enumerate(rows, 1)]


def _result(row: Any, dataset: str, split: str, where: object) -> PublishedResult:
    if not isinstance(row, dict):
        raise _bad(where, "it is no mapping", "name, a metric, work, url, table")
    unknown = set(row) - {*_NEEDED, *METRICS, "note", "per_class"}
    if unknown:
        raise _bad(
            where, f"unknown field {min(map(str, unknown))!r}", ", ".join([*_NEEDED, *METRICS, "note, per_class"])
        )
    for field in _NEEDED:
        if not isinstance(row.get(field), str) or not row[field].strip():
            raise _bad(where, f"the field {field!r} is missing", "a number that can be checked: name, work, url, table")
    metrics = {metric: row[metric] for metric in METRICS if metric in row}
    if not metrics or any(not _is_number(v) or not 0 < v <= 100 for v in metrics.values()):
        raise _bad(where, f"its metrics are {metrics}", f"at least one of {', '.join(METRICS)}, in percent")
    return PublishedResult(
        dataset=dataset,
        split=split,
        metrics={metric: round(value / 100, 9) for metric, value in metrics.items()},
        note=row.get("note"),
        per_class=_per_class(row, where),
        **{field: row[field] for field in _NEEDED},
    )


def _per_class(row: Mapping[str, Any], where: object) -> dict[str, tuple[int, int]] | None:
    """Return the published hits per class, after checking that they give the metrics beside them."""
    if "per_class" not in row:
        return None
    expected = "label: [hits, samples]"
    counts: dict[str, tuple[int, int]] = {}
    if not isinstance(row["per_class"], dict) or not row["per_class"]:
        raise _bad(where, "per_class is no mapping", expected)
    for label, pair in row["per_class"].items():
        match pair:
            case [int(hits), int(n)] if 0 <= hits <= n and n > 0:
                counts[str(label)] = (hits, n)
            case _:
                raise _bad(where, f"per_class of {label!r} is {pair!r}", expected)
    derived = {
        "uar": 100 * sum(hits / n for hits, n in counts.values()) / len(counts),
        "war": 100 * sum(hits for hits, _ in counts.values()) / sum(n for _, n in counts.values()),
    }
    for metric, value in derived.items():
        if metric in row and abs(row[metric] - value) > 0.0051:
            raise _bad(where, f"per_class gives {metric} {value:.2f}", f"the {metric} beside it, {row[metric]}")
    return counts


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bad(where: object, found: str, expected: str) -> UserError:
    return UserError(
        f"{where}: a published result cannot be read", expected=expected, found=found, remedy="correct the file"
    )
