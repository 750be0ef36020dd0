"""The leaderboard: complete runs that are comparable, ranked no finer than their intervals allow.

Runs are comparable when they answered the same samples (data set, split, fingerprint, number) with the same labels.
What cannot be compared is listed with the reason; what was published is shown with its source; neither is ranked.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coabench.errors import CoabenchError, UserError, did_you_mean
from coabench.metrics import SCHEMA, summarise, uar
from coabench.published import PublishedResult, load_published
from coabench.runs import LOG, MANIFEST, METRICS, read_manifest, read_records
from coabench.statistics import Counts, bootstrap, percentile_interval
from coabench.tables import NOTHING, Column, Row, Section, number, percent

DEPTH = 3
"""How many levels below the given folder runs are looked for."""

RULE = (
    "Ranks: a run is above another only if its whole UAR interval is; a range such as 1–3 says that the test set "
    "is too small to tell. Published results are not ranked."
)

Interval = tuple[float, float]


class Group(NamedTuple):
    """What runs must have in common to be compared."""

    dataset: str
    split: str
    samples: int
    fingerprint: str
    space: str
    labels: tuple[str, ...]

    @property
    def title(self) -> str:
        return (
            f"{self.dataset}, split {self.split}: {self.samples} samples, {len(self.labels)} labels "
            f"(fingerprint {self.fingerprint[:12]})"
        )


@dataclass(frozen=True)
class Entry:
    """A run as the leaderboard sees it: its raw values, and either its group or the reason why it has none."""

    row: dict[str, Any]
    group: Group | None = None

    @property
    def interval(self) -> Interval:
        return self.row["uar_low"], self.row["uar_high"]


KEYS = (
    "kind", "dataset", "split", "samples", "fingerprint", "rank_low", "rank_high", "name",
    "backbone", "model", "adapter", "strategy", "decode", "seed",
    "uar", "uar_low", "uar_high", "war", "war_low", "war_high", "macro_f1", "macro_f1_low", "macro_f1_high",
    "invalid", "invalid_rate", "errors", "images_per_second", "date", "source", "note",
)  # fmt: skip
"""The fields of a row in csv and json. *kind* is ``run``, ``published`` or ``not ranked`` (*note* says why);
*source* is the run's directory or where the published number stands."""


def leaderboard(root: Path, dataset: str | None = None, published: Path | None = None) -> list[Section]:
    """Return the leaderboard of the runs in *root*, one section per group of comparable runs.

    Args:
        root: a run directory, or a folder with run directories at most `DEPTH` levels below.
        dataset: show only this data set.
        published: the folder of published results; those that ship with coabench by default.

    Raises:
        UserError: there is no such folder, no run in it, or nothing about this data set.
    """
    entries = [read_entry(directory, root) for directory in find_runs(root)]
    results = load_published(published)
    if dataset is not None:
        known = sorted({e.row["dataset"] for e in entries if e.row["dataset"]} | {r.dataset for r in results})
        if dataset not in known:
            raise UserError(
                f"{did_you_mean(dataset, known)}there is no run and no published result on {dataset!r}",
                expected=", ".join(known),
                remedy="choose another --dataset",
            )
        # A run too damaged to say what it is about is shown whatever is asked for.
        entries = [e for e in entries if e.row["dataset"] in (dataset, None)]
        results = [r for r in results if r.dataset == dataset]

    groups = sorted({e.group for e in entries if e.group})
    sections = [_group_section(group, [e for e in entries if e.group == group], results) for group in groups]
    if dataset is not None and not groups:
        sections += _published_only(results)
    apart = [e.row for e in entries if e.group is None]
    return [*sections, _apart_section(apart)] if apart else sections


def find_runs(root: Path) -> list[Path]:
    """Return the run directories at or below *root*, sorted. A run directory is one that holds ``run.json``.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    if not root.is_dir():
        raise UserError(
            f"there is no folder {root}", expected="a folder with runs", remedy="evaluate first: coabench evaluate"
        )
    try:
        found = sorted(_walk(root, DEPTH))
    except OSError as error:
        raise UserError(f"the folder {error.filename} cannot be read", found=error.strerror) from None
    if not found:
        raise UserError(
            f"there is no run in {root}",
            expected=f"folders with a {MANIFEST}, at most {DEPTH} levels below",
            remedy=f"make one: coabench evaluate --output {root / 'NAME'}",
        )
    once: dict[Path, Path] = {}  # a run that is also linked to counts once
    for directory in found:
        once.setdefault(directory.resolve(), directory)
    return list(once.values())


def _walk(folder: Path, depth: int) -> Iterable[Path]:
    if (folder / MANIFEST).is_file():
        yield folder
    elif depth:
        for child in folder.iterdir():
            if child.is_dir() and not child.name.startswith("."):
                yield from _walk(child, depth - 1)


def read_entry(directory: Path, root: Path) -> Entry:
    """Read a run. Whatever is wrong with it becomes the reason why it is not ranked; it never raises for a run."""
    row: dict[str, Any] = dict.fromkeys(KEYS) | {"kind": "not ranked", "source": str(directory)}
    row["name"] = directory.name if directory == root else directory.relative_to(root).as_posix()
    try:
        manifest = read_manifest(directory)
        row |= _described(manifest)
        reason = _why_not(manifest)
        if reason is None:
            metrics, row["note"] = read_metrics(directory, manifest)
            row |= _measured(metrics)
            labels, samples = manifest["labels"], row["samples"]
            if metrics["samples"] != samples:
                reason = f"the log holds {metrics['samples']} of {samples} records"
        if reason is not None:
            return Entry(row | {"note": reason})
        group = Group(
            row["dataset"], row["split"], samples, row["fingerprint"], str(labels["space"]), tuple(labels["names"])
        )
    except CoabenchError as error:
        return Entry(row | {"note": error.problem})
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        # JSON of the right schema, but a field is missing or of another kind.
        return Entry(row | {"note": f"damaged: {type(error).__name__}: {error}"})
    return Entry(row | {"kind": "run"}, group)


def read_metrics(directory: Path, manifest: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return the metrics of a run, and what had to be done to get them.

    ``metrics.json`` is trusted as long as it carries the hash of the log beside it; otherwise the metrics are
    computed again from the log.

    Raises:
        UserError: the log is damaged or empty.
    """
    log = directory / LOG
    digest = hashlib.sha256(log.read_bytes()).hexdigest() if log.is_file() else None
    try:
        stored = json.loads((directory / METRICS).read_text(encoding="utf-8"))
        if isinstance(stored, dict) and stored["schema"] == SCHEMA and digest and stored["log_sha256"] == digest:
            return stored, None
        problem = f"{METRICS} does not belong to {LOG}"
    except FileNotFoundError:
        problem = f"there is no {METRICS}"
    except (OSError, ValueError, KeyError):
        problem = f"{METRICS} is damaged"
    return summarise(read_records(directory), manifest["labels"], digest), f"{problem}: computed again from the log"


def rank_ranges(intervals: Sequence[Interval]) -> list[tuple[int, int]]:
    """Return for each interval the best and the worst rank that it allows.

    One is above another only if its lower bound exceeds the other's upper bound. So the best rank is 1 + how many
    are above, the worst is the total − how many are below; equal figures always share their range. Overlap is a
    cautious rule: two runs on the same samples may differ by a paired test although their intervals overlap.
    """
    return [
        (
            1 + sum(other_low > high for other_low, _ in intervals),
            len(intervals) - sum(other_high < low for _, other_high in intervals),
        )
        for low, high in intervals
    ]


def _why_not(manifest: dict[str, Any]) -> str | None:
    """Say why a run cannot be ranked, as far as its manifest tells."""
    status, limit = manifest["status"], manifest["identity"]["dataset"]["limit"]
    if status == "running":
        return "not finished: the same `coabench evaluate` command goes on with it"
    if status != "complete":
        return f"{status}: {str(manifest.get('reason') or 'no reason given').splitlines()[0]}"
    return f"not comparable: --limit {limit}" if limit is not None else None


def _described(manifest: dict[str, Any]) -> dict[str, Any]:
    identity = manifest["identity"]
    dataset, backbone = identity["dataset"], identity["backbone"]
    adapter, model, speed = backbone.get("adapter"), backbone.get("model"), manifest.get("images_per_second")
    return {
        "dataset": str(dataset["name"]),
        "split": str(dataset["split"]),
        "samples": int(dataset["samples"]),
        "fingerprint": str(dataset["fingerprint"]),
        "backbone": str(backbone["name"]),
        "model": None if model is None else str(model),
        "adapter": adapter if adapter is None or isinstance(adapter, str) else json.dumps(adapter, sort_keys=True),
        "strategy": str(identity["strategy"]["name"]),
        "decode": str(identity["decode"]),
        "seed": int(identity["seed"]),
        "images_per_second": None if speed is None else _figure(speed, math.inf),
        "date": str(manifest.get("ended") or manifest.get("started") or "")[:10] or None,
    }


def _measured(metrics: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "invalid": int(metrics["invalid"]),
        "invalid_rate": _figure(metrics["invalid_rate"]),
        "errors": int(metrics["errors"]),
    }
    for metric in ("uar", "war", "macro_f1"):
        low, high = metrics[f"{metric}_interval"]
        row |= {metric: _figure(metrics[metric]), f"{metric}_low": _figure(low), f"{metric}_high": _figure(high)}
    return row


def _figure(value: Any, most: float = 1.0) -> float:
    """Return *value* as a number within 0…*most*; `ValueError` for anything else, NaN included."""
    figure = float(value)
    if not 0 <= figure <= most or math.isinf(figure):
        raise ValueError(f"{value!r} is no figure")
    return figure


def _published_row(result: PublishedResult) -> dict[str, Any]:
    row = dict.fromkeys(KEYS) | {
        "kind": "published",
        "dataset": result.dataset,
        "split": result.split,
        "name": result.name,
        **result.metrics,
        "source": result.source,
        "note": result.note,
    }
    if result.per_class:
        row["samples"] = sum(n for _, n in result.per_class.values())
        row["uar_low"], row["uar_high"] = _published_interval(list(result.per_class.values()))
    return row


def _published_interval(counts: Sequence[tuple[int, int]]) -> Interval:
    """The UAR interval of published hits per class: which wrong label was given does not matter to recalls."""
    confusion: Counts = np.zeros((len(counts), len(counts) + 1), dtype=np.int64)
    for c, (hits, n) in enumerate(counts):
        confusion[c, c], confusion[c, -1] = hits, n - hits
    return percentile_interval(uar(bootstrap(confusion)))


def _group_section(group: Group, entries: Sequence[Entry], results: Sequence[PublishedResult]) -> Section:
    ordered = sorted(entries, key=lambda e: (-e.row["uar"], e.row["name"]))
    rows = [
        entry.row | {"rank_low": best, "rank_high": worst}
        for entry, (best, worst) in zip(ordered, rank_ranges([e.interval for e in ordered]), strict=True)
    ]
    rows += _published_rows([r for r in results if (r.dataset, r.split) == (group.dataset, group.split)])
    return _section(group.title, rows, [RULE])


def _published_only(results: Sequence[PublishedResult]) -> list[Section]:
    splits = sorted({(r.dataset, r.split) for r in results})
    return [
        _section(f"{name}, split {split}: no comparable run", _published_rows([r for r in results if r.split == split]))
        for name, split in splits
    ]


def _published_rows(results: Sequence[PublishedResult]) -> list[dict[str, Any]]:
    rows = [_published_row(result) for result in results]
    return sorted(rows, key=lambda row: (row["uar"] is None, -(row["uar"] or 0), -(row["war"] or 0), row["name"]))


def _section(title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> Section:
    """A table whose rows are told apart by the number of their source; the sources stand below."""
    sources = list(dict.fromkeys(row["source"] for row in rows))
    columns = [
        Column("Rank", _rank),
        Column("Model", _model, width=24),
        Column("Strategy", _strategy, width=17),
        Column("UAR [95 % CI]", _uar),
        Column("WAR", lambda row: _percent(row, "war"), "right"),
        Column("F1", lambda row: _percent(row, "macro_f1"), "right"),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right"),
        Column("img/s", lambda row: number(row["images_per_second"], 1), "right"),
        Column("Date", "date"),
        Column("Ref", lambda row: f"[{sources.index(row['source']) + 1}]", "right"),
    ]
    remarks = [f"{row['name']}: {remark}" for row in rows for remark in _remarks(row)]
    legend = "UAR, WAR, F1 (macro) and Inv (answers without a label; counted wrong) in %."
    return Section(columns, rows, title, [legend, *notes, *remarks, *(f"[{i}] {s}" for i, s in enumerate(sources, 1))])


def _apart_section(rows: Sequence[Row]) -> Section:
    columns = [
        Column("Run", "name", width=50),
        Column("Data set", "dataset", width=20),
        Column("Why", "note", width=44),
    ]
    return Section(columns, rows, "Not ranked")


def _rank(row: Row) -> str:
    if row["kind"] == "published":
        return NOTHING
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low}–{high}"


def _model(row: Row) -> str:
    """``backbone[:model] + adapter``, paths by their last part; a model named like its backbone is left out."""
    if row["kind"] == "published":
        return str(row["name"])
    model = _last_part(row["model"])
    name = row["backbone"]
    if model and not model.casefold().startswith(name.casefold()):
        name += f":{model}"
    return f"{name} + {_last_part(row['adapter'])}" if row["adapter"] else name


def _last_part(path: str | None) -> str:
    return (path or "").rstrip("/\\").replace("\\", "/").rpartition("/")[2]


def _strategy(row: Row) -> str:
    return "published" if row["kind"] == "published" else f"{row['strategy']}, {row['decode']}"


def _uar(row: Row) -> str:
    if row["uar_low"] is None:
        return _percent(row, "uar")
    return f"{_percent(row, 'uar')} [{percent(row['uar_low'], 1)}, {percent(row['uar_high'], 1)}]"


def _percent(row: Row, metric: str) -> str:
    """Two digits for runs; published numbers with the digits they were printed with."""
    value = row[metric]
    return f"{100 * value:.4g}" if value is not None and row["kind"] == "published" else percent(value)


def _remarks(row: Row) -> list[str]:
    errors = f"{row['errors']} samples could not be asked about and count as wrong" if row["errors"] else None
    return [remark for remark in (row["note"], errors) if remark]
