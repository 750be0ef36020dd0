"""The leaderboard: complete runs that are comparable, ranked no finer than paired tests allow.

Runs are comparable when they answered the same samples (data set, split, fingerprint, number) with the same labels.
What cannot be compared is listed with the reason; what was published is shown with its source; neither is ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coabench.errors import UserError, did_you_mean
from coabench.metrics.headline import HEADLINES, UAR, Estimate, Headline
from coabench.metrics.ranking import ALPHA, copies, difference, ranks
from coabench.metrics.statistics import holm, mean_score_interval
from coabench.render.tables import Section
from coabench.reports import over_folds
from coabench.reports.differing import distinguish
from coabench.reports.entries import read_entries
from coabench.reports.entry import Answered, Entry, Group
from coabench.reports.leaderboard_table import LINK, not_ranked_section, ranked_section
from coabench.reports.over_seeds import recipes_section
from coabench.reports.published import PublishedResult, load_published
from coabench.reports.run_row import PUBLISHED, RUN, RunRow
from coabench.runs.metrics import headlines

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
    over: Collection[str] = (),
) -> list[Section]:
    """Return the leaderboard of the runs in *root*, one section per group of comparable runs.

    Args:
        root: a run directory, or a folder with run directories at most `coabench.reports.entries.DEPTH` levels below.
        dataset: show only this data set.
        baseline: a run in *root* that the comparable ones are compared with.
        published: the folder of published results; those that ship with coabench by default.
        workers: how many processes may read runs at once.
        over: ``fold`` puts the runs of all folds of a split together, ``seed`` makes all runs that differ in nothing
            but a seed one row.

    Raises:
        UserError: there is no such folder, no run in it, nothing about this data set, or the baseline is no run there
            that can be compared; a baseline and ``seed`` do not fit together.
    """
    if "seed" in over and baseline is not None:
        raise UserError(
            "--baseline and --over seed do not fit together", remedy="coabench compare A… -- B… compares recipes"
        )
    return ranked(read_entries(root, workers), dataset, baseline, published, over)


def ranked(
    entries: Sequence[Entry],
    dataset: str | None = None,
    baseline: Path | None = None,
    published: Path | None = None,
    over: Collection[str] = (),
) -> list[Section]:
    """Return the leaderboard of runs that were read; see `leaderboard`."""
    results = load_published(published)
    if dataset is not None:
        known = sorted({e.row.dataset for e in entries if e.row.dataset} | {r.dataset for r in results})
        if dataset not in known:
            raise UserError(
                f"{did_you_mean(dataset, known)}there is no run and no published result on {dataset!r}",
                expected=", ".join(known),
                remedy="choose another --dataset",
            )
        # A run too damaged to say what it is about is shown whatever is asked for.
        entries = [e for e in entries if e.row.dataset in (dataset, None)]
        results = [r for r in results if r.dataset == dataset]

    entries, groups = comparable(entries, over)
    chosen = _baseline(baseline, entries) if baseline is not None else None
    figures = headlines({key for entry in entries for key in entry.row.figures})
    if "seed" in over:
        sections = [recipes_section(group, groups[group]) for group in sorted(groups)]
    else:
        sections = [_group_section(group, groups[group], results, chosen, figures) for group in sorted(groups)]
    if dataset is not None and not groups:
        sections += _published_only(results, figures)
    others = [entry.row for entry in entries if entry.answered is None]
    return [*sections, not_ranked_section(others, figures)] if others else sections


def linked(sections: Sequence[Section], links: Mapping[str, str]) -> list[Section]:
    """Return the sections of a page whose rows lead to reports.

    Args:
        links: source of a row -> address of its report, escaped as an address is.
    """
    return [
        replace(section, rows=[{**row, LINK: links.get(row["source"])} for row in section.rows]) for section in sections
    ]


def comparable(entries: Sequence[Entry], over: Collection[str]) -> tuple[list[Entry], dict[Group, list[Entry]]]:
    """Return the entries, put together *over* folds where that is asked for, and those of each group."""
    entries = _same_samples(over_folds.over_folds(entries) if "fold" in over else entries)
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        if entry.answered:
            groups.setdefault(entry.answered.group, []).append(entry)
    return list(entries), groups


def _same_samples(entries: Sequence[Entry]) -> list[Entry]:
    """Do not rank the runs whose log holds other samples, or other persons, than most of the same fingerprint do."""
    for what, of in (
        ("holds other samples than those", lambda answered: answered.samples),
        ("names other persons (the attribute subject) than those", lambda answered: answered.predicted.units.tobytes()),
    ):
        entries = _as_most(entries, of, f"mismatched: its log {what} of the runs with the same fingerprint")
    return list(entries)


def _as_most(entries: Sequence[Entry], of: Callable[[Answered], Any], reason: str) -> list[Entry]:
    """Return the entries; those of a group that differ in something from most of it as not ranked."""
    counts: dict[Group, Counter[Any]] = {}
    for entry in entries:
        if entry.answered:
            counts.setdefault(entry.answered.group, Counter())[of(entry.answered)] += 1
    usual = {group: max(sorted(seen), key=lambda value: seen[value]) for group, seen in counts.items()}
    return [
        entry.not_ranked(reason) if entry.answered and of(entry.answered) != usual[entry.answered.group] else entry
        for entry in entries
    ]


def _baseline(directory: Path, entries: Sequence[Entry]) -> Entry:
    for entry in entries:
        if Path(entry.row.source).resolve() == directory.resolve():
            if entry.answered is None:
                raise UserError(
                    f"the baseline {directory} cannot be compared with",
                    found=str(entry.row.note),
                    remedy="choose a complete run as --baseline",
                )
            return entry
    names = ", ".join(entry.row.source for entry in entries if entry.answered)
    raise UserError(
        f"the baseline {directory} is not among the runs",
        expected=names or "a run that can be compared",
        remedy="choose one of them as --baseline",
    )


def _published_row(result: PublishedResult) -> RunRow:
    figures = {name: Estimate(value) for name, value in result.metrics.items()}
    counts = list((result.per_class or {}).values())
    if counts:
        figures[UAR.key] = Estimate(result.metrics.get(UAR.key), *_published_interval(counts))
    return RunRow(
        kind=PUBLISHED,
        dataset=result.dataset,
        split=result.split,
        samples=sum(n for _, n in counts) or None,
        name=result.name,
        figures=figures,
        source=result.source,
        note=result.note,
    )


def _published_interval(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The UAR interval of published hits per class: which wrong label was given does not matter to recalls."""
    return mean_score_interval([hits for hits, _ in counts], [n for _, n in counts])


def _group_section(
    group: Group,
    entries: Sequence[Entry],
    results: Sequence[PublishedResult],
    baseline: Entry | None,
    figures: Sequence[Headline],
) -> Section:
    ordered = sorted(entries, key=lambda entry: (-(entry.row.uar.value or 0), entry.row.name))
    answered = [entry.answered for entry in ordered if entry.answered]
    rows = distinguish([_seedless(entry.row) for entry in ordered])
    rows = [
        replace(row, rank_low=rank.best, rank_high=rank.worst, leading=rank.leading)
        for row, rank in zip(rows, ranks([run.predicted for run in answered]), strict=True)
    ]
    notes = [RULE, *([over_folds.RULE] if any(row.fold and not group.fold for row in rows) else [])]
    for alike in copies([run.predicted for run in answered]):
        names = ", ".join(rows[i].name for i in alike)
        notes.append(f"The same predictions, so counted once where runs are ranked: {names}.")
    compared = baseline is not None and baseline.answered is not None and baseline.answered.group == group
    if baseline is not None and baseline.answered is not None and compared:
        rows = _with_differences(rows, answered, baseline.answered)
        notes.append(
            f"Difference: UAR minus that of {baseline.row.name}, in points, with its 95 % interval; "
            "p of the paired test, Holm-corrected over the runs in this table."
        )
    elif baseline is not None:
        notes.append(f"The baseline {baseline.row.name} answered other samples: no differences here.")
    rows += _published_rows([r for r in results if (r.dataset, r.split) == (group.dataset, group.split)])
    section = ranked_section(group.title, rows, figures, notes, compared, lambda: _plot(rows))
    return replace(section, anchor=group.anchor)


def _seedless(row: RunRow) -> RunRow:
    """Return the row without its seed among the settings: it has a column of its own."""
    return replace(row, settings={name: value for name, value in row.settings.items() if name != "seed"})


def _with_differences(rows: Sequence[RunRow], answered: Sequence[Answered], baseline: Answered) -> list[RunRow]:
    others = [i for i, run in enumerate(answered) if run is not baseline]
    differences = [difference(answered[i].predicted, baseline.predicted) for i in others]
    made = list(rows)
    for i, one, p in zip(others, differences, holm([d.p for d in differences]), strict=True):
        made[i] = replace(rows[i], difference=one.value, difference_low=one.low, difference_high=one.high, p=float(p))
    return made


def _plot(rows: Sequence[RunRow]) -> Markup | None:
    """Accuracy against cost, of the runs that were timed."""
    from coabench.render.charts import Point, scatter

    points = []
    for row in rows:
        if row.kind == RUN and row.images_per_second:
            figure, low, high = (100 * (number or 0) for number in row.uar)
            points.append(Point(row.name, 1 / row.images_per_second, figure, low, high, row.strategy or ""))
    if not points:
        return None
    return scatter(
        points,
        x_title="seconds per image (log scale), as measured on each run's own machine",
        y_title="UAR (%)",
        about="UAR with its 95 % interval against the seconds that an image took, for each run",
        log_x=True,
    )


def _published_only(results: Sequence[PublishedResult], figures: Sequence[Headline]) -> list[Section]:
    splits = sorted({(r.dataset, r.split) for r in results})
    return [
        ranked_section(
            f"{name}, split {split}: no comparable run",
            _published_rows([r for r in results if r.split == split]),
            figures,
        )
        for name, split in splits
    ]


def _published_rows(results: Sequence[PublishedResult]) -> list[RunRow]:
    return sorted(map(_published_row, results), key=_by_figures)


def _by_figures(row: RunRow) -> tuple[bool, list[float], str]:
    """Sort by the headline figures, the first first; a row without it comes last."""
    values = [row.figures.get(figure.key, Estimate()).value for figure in HEADLINES]
    return values[0] is None, [-(value or 0) for value in values], row.name
