"""The leaderboard: complete runs that are comparable, ranked no finer than paired tests allow.

Runs are comparable when they answered the same samples (data set, split, fingerprint, number) with the same labels.
What cannot be compared is listed with the reason; what was published is shown with its source; neither is ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from coabench.base.text import NOTHING, interval, last_part, number, p_value, percent, signed
from coabench.errors import UserError, did_you_mean
from coabench.metrics.figures import uar
from coabench.metrics.ranking import ALPHA, difference, ranks
from coabench.metrics.statistics import Counts, bootstrap, holm, percentile_interval
from coabench.render.tables import Column, Row, Section
from coabench.reports.entries import KEYS, Answered, Entry, Group, read_entries
from coabench.reports.published import PublishedResult, load_published

RULE = (
    f"Ranks: a run is above another only if a paired test on the same samples, Holm-corrected over all pairs, says so "
    f"at {100 * ALPHA:.0f} %; a range such as 1–3 says that the test set is too small to tell. * marks the runs that "
    "no run is above. Published results are not ranked."
)


def leaderboard(
    root: Path,
    dataset: str | None = None,
    baseline: Path | None = None,
    published: Path | None = None,
    workers: int = 1,
) -> list[Section]:
    """Return the leaderboard of the runs in *root*, one section per group of comparable runs.

    Args:
        root: a run directory, or a folder with run directories at most `coabench.reports.entries.DEPTH` levels below.
        dataset: show only this data set.
        baseline: a run in *root* that the comparable ones are compared with.
        published: the folder of published results; those that ship with coabench by default.
        workers: how many processes may read runs at once.

    Raises:
        UserError: there is no such folder, no run in it, nothing about this data set, or the baseline is no run there
            that can be compared.
    """
    entries = read_entries(root, workers)
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

    entries = _same_samples(entries)
    chosen = _baseline(baseline, entries) if baseline is not None else None
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        if entry.answered:
            groups.setdefault(entry.answered.group, []).append(entry)
    sections = [_group_section(group, groups[group], results, chosen) for group in sorted(groups)]
    if dataset is not None and not groups:
        sections += _published_only(results)
    apart = [entry.row for entry in entries if entry.answered is None]
    return [*sections, _apart_section(apart)] if apart else sections


def _same_samples(entries: Sequence[Entry]) -> list[Entry]:
    """Set apart the runs whose log holds other samples than most logs of the same fingerprint do."""
    counts: dict[Group, Counter[str]] = {}
    for entry in entries:
        if entry.answered:
            counts.setdefault(entry.answered.group, Counter())[entry.answered.samples] += 1
    usual = {group: max(sorted(found), key=lambda samples: found[samples]) for group, found in counts.items()}
    return [
        entry.apart("mismatched: its log holds other samples than those of the runs with the same fingerprint")
        if entry.answered and entry.answered.samples != usual[entry.answered.group]
        else entry
        for entry in entries
    ]


def _baseline(directory: Path, entries: Sequence[Entry]) -> Entry:
    for entry in entries:
        if Path(entry.row["source"]).resolve() == directory.resolve():
            if entry.answered is None:
                raise UserError(
                    f"the baseline {directory} cannot be compared with",
                    found=str(entry.row["note"]),
                    remedy="choose a complete run as --baseline",
                )
            return entry
    names = ", ".join(str(entry.row["source"]) for entry in entries if entry.answered)
    raise UserError(
        f"the baseline {directory} is not among the runs",
        expected=names or "a run that can be compared",
        remedy="choose one of them as --baseline",
    )


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


def _published_interval(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The UAR interval of published hits per class: which wrong label was given does not matter to recalls."""
    confusion: Counts = np.zeros((len(counts), len(counts) + 1), dtype=np.int64)
    for c, (hits, n) in enumerate(counts):
        confusion[c, c], confusion[c, -1] = hits, n - hits
    return percentile_interval(uar(bootstrap(confusion)))


def _group_section(
    group: Group, entries: Sequence[Entry], results: Sequence[PublishedResult], baseline: Entry | None
) -> Section:
    ordered = sorted(entries, key=lambda e: (-e.row["uar"], e.row["name"]))
    answered = [entry.answered for entry in ordered if entry.answered]
    rows = [
        entry.row | {"rank_low": rank.best, "rank_high": rank.worst, "leading": rank.leading}
        for entry, rank in zip(ordered, ranks([run.predicted for run in answered]), strict=True)
    ]
    notes = [RULE]
    compared = baseline is not None and baseline.answered is not None and baseline.answered.group == group
    if baseline is not None and baseline.answered is not None and compared:
        rows = _with_differences(rows, answered, baseline.answered)
        notes.append(
            f"Difference: UAR minus that of {baseline.row['name']}, in points, with the paired bootstrap's 95 % "
            "interval; p of the paired test, Holm-corrected over the runs in this table."
        )
    elif baseline is not None:
        notes.append(f"The baseline {baseline.row['name']} answered other samples: no differences here.")
    rows += _published_rows([r for r in results if (r.dataset, r.split) == (group.dataset, group.split)])
    return _section(group.title, rows, notes, compared, lambda: _plot(rows))


def _with_differences(
    rows: Sequence[dict[str, Any]], answered: Sequence[Answered], baseline: Answered
) -> list[dict[str, Any]]:
    others = [i for i, run in enumerate(answered) if run is not baseline]
    found = [difference(answered[i].predicted, baseline.predicted) for i in others]
    made = list(rows)
    for i, one, p in zip(others, found, holm([d.p for d in found]), strict=True):
        made[i] = rows[i] | {
            "difference": one.value, "difference_low": one.low, "difference_high": one.high, "p": float(p),
        }  # fmt: skip
    return made


def _plot(rows: Sequence[Row]) -> Markup | None:
    """Accuracy against cost, of the runs that were timed."""
    from coabench.render.charts import Point, scatter

    points = [
        Point(
            row["name"],
            1 / row["images_per_second"],
            100 * row["uar"],
            100 * row["uar_low"],
            100 * row["uar_high"],
            row["strategy"],
        )
        for row in rows
        if row["kind"] == "run" and row["images_per_second"]
    ]
    if not points:
        return None
    return scatter(
        points,
        x_title="seconds per image, as measured on each run's own machine",
        y_title="UAR (%)",
        about="UAR with its 95 % interval against the seconds that an image took, for each run",
        log_x=True,
    )


def _published_only(results: Sequence[PublishedResult]) -> list[Section]:
    splits = sorted({(r.dataset, r.split) for r in results})
    return [
        _section(f"{name}, split {split}: no comparable run", _published_rows([r for r in results if r.split == split]))
        for name, split in splits
    ]


def _published_rows(results: Sequence[PublishedResult]) -> list[dict[str, Any]]:
    rows = [_published_row(result) for result in results]
    return sorted(rows, key=lambda row: (row["uar"] is None, -(row["uar"] or 0), -(row["war"] or 0), row["name"]))


def _section(
    title: str,
    rows: Sequence[Row],
    notes: Sequence[str] = (),
    compared: bool = False,
    chart: Callable[[], Markup | None] | None = None,
) -> Section:
    """A table whose rows are told apart by the number of their source; the sources stand below."""
    sources = list(dict.fromkeys(row["source"] for row in rows))
    differences = [
        Column("Difference", _difference, width=14, value="difference"),
        Column("p", lambda row: p_value(row["p"]), "right", value="p"),
    ]
    columns = [
        Column("Rank", _rank, value="rank_low"),
        Column("Run", _run, wide=True),
        Column("Model", _model, width=24, choices=True),
        Column("Strategy", _strategy, width=15, choices=True),
        Column("UAR", lambda row: _with_interval(row, "uar"), width=12, value="uar"),
        *(differences if compared else ()),
        Column("WAR", lambda row: _with_interval(row, "war"), width=12, value="war"),
        Column("Macro-F1", lambda row: _with_interval(row, "macro_f1"), width=12, value="macro_f1", wide=compared),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        Column("img/s", lambda row: number(row["images_per_second"], 1), "right", value="images_per_second"),
        Column("Date", "date", wide=True),
        Column("Ref", lambda row: f"[{sources.index(row['source']) + 1}]", "right"),
    ]
    remarks = [f"{row['name']}: {remark}" for row in rows for remark in _remarks(row)]
    legend = "UAR, WAR, macro-F1 and Inv (answers without a label; counted wrong) in %, with 95 % intervals."
    dates = {row["source"]: f" ({row['date']})" if row["date"] else "" for row in rows}
    references = [f"[{i}] {source}{dates[source]}" for i, source in enumerate(sources, 1)]
    return Section(columns, rows, title, [legend, *notes, *remarks, *references], chart)


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
    return (str(low) if low == high else f"{low}–{high}") + ("*" if row["leading"] else "")


def _run(row: Row) -> str:
    return NOTHING if row["kind"] == "published" else str(row["name"])


def _model(row: Row) -> str:
    """``backbone[:model] + adapter``, paths by their last part; a model named like its backbone is left out."""
    if row["kind"] == "published":
        return str(row["name"])
    model = last_part(row["model"])
    name = row["backbone"]
    if model and not model.casefold().startswith(name.casefold()):
        name += f":{model}"
    return f"{name} + {last_part(row['adapter'])}" if row["adapter"] else name


def _strategy(row: Row) -> str:
    """``strategy, decode``, and the parser where it is not the usual one; nothing was decoded for a file."""
    if row["kind"] == "published":
        return "published"
    parser = f"{row['parser']} parser" if row["parser"] not in (None, "standard") else None
    decode = row["decode"] if row["decode"] != "external" else None
    return ", ".join(filter(None, [row["strategy"], decode, parser]))


def _with_interval(row: Row, metric: str) -> str:
    """Two digits for runs; published numbers with the digits they were printed with."""
    value, low, high = row[metric], row[f"{metric}_low"], row[f"{metric}_high"]
    shown = f"{100 * value:.4g}" if value is not None and row["kind"] == "published" else percent(value)
    return shown if low is None else f"{shown} {interval(percent(low, 1), percent(high, 1))}"


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return NOTHING if row["kind"] == "published" else "baseline"
    low, high = signed(row["difference_low"]), signed(row["difference_high"])
    return f"{signed(row['difference'])} {interval(low, high)}"


def _remarks(row: Row) -> list[str]:
    errors = f"{row['errors']} samples could not be asked about and count as wrong" if row["errors"] else None
    return [remark for remark in (row["note"], errors) if remark]
