"""The table of a leaderboard: its columns, its cells and what stands below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from markupsafe import Markup

from coabench.base import text
from coabench.base.text import NOTHING, last_part, number, p_value, percent, plural
from coabench.decode import EXTERNAL
from coabench.metrics.headline import MACRO_F1, Headline
from coabench.render.tables import Column, Row, Section
from coabench.reports.run_row import PUBLISHED, RunRow

LINK = "report"
"""The key under which `coabench.reports.leaderboard.linked` has the address of a row's report; no format for programs
has it."""


def ranked_section(
    title: str,
    rows: Sequence[RunRow],
    figures: Sequence[Headline],
    notes: Sequence[str] = (),
    compared: bool = False,
    chart: Callable[[], Markup | None] | None = None,
) -> Section:
    """A table whose rows are identified by the number of their source; the sources stand below."""
    sources = list(dict.fromkeys(row.source for row in rows))
    differences = [
        Column("Difference", _difference, width=14, value="difference"),
        Column("p", lambda row: p_value(row["p"]), "right", value="p"),
    ]
    options = [Column("Options", "options", width=18)] if any(row.options for row in rows) else []
    seeds = [
        Column(heading, column, "right")
        for heading, column in (("Seed", "seed"), ("Trained with", "training_seed"))
        if len({value for row in rows if (value := getattr(row, column)) is not None}) > 1
    ]
    first, *others = (_figure_column(figure, compared or bool(options)) for figure in figures)
    first = replace(first, first=True, kept=True)
    columns = [
        Column("Rank", _rank, value="rank_low", first=True),
        Column("Run", _run, wide=True, first=True, link=LINK),
        Column("Model", _model, width=24, choices=True),
        Column("Strategy", _strategy, width=17, choices=True),
        *options,
        *seeds,
        first,
        *(differences if compared else ()),
        *others,
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        Column("img/s", lambda row: number(row["images_per_second"], 1), "right", value="images_per_second"),
        Column("Date", "date", wide=True, whole=True),
        Column("Ref", lambda row: f"[{sources.index(row['source']) + 1}]", "right", kept=True),
    ]
    in_percent = ", ".join(figure.title for figure in figures if figure.formula and figure.format == "percent")
    legend = f"{in_percent} and Inv (answers without a label; counted wrong) in %, with 95 % intervals."
    about = [f"{it.title}{' (%)' if it.format == 'percent' else ''}: {it.about}." for it in figures if it.about]
    remarks = [f"{row.name}: {remark}" for row in rows for remark in _remarks(row)]
    dates = {row.source: f" ({row.date})" if row.date else "" for row in rows}
    references = [f"[{i}] {source}{dates[source]}" for i, source in enumerate(sources, 1)]
    cells = [row.columns(figures) for row in rows]
    return Section(columns, cells, title, [legend, *about, *notes, *remarks, *references], chart)


def not_ranked_section(rows: Sequence[RunRow], figures: Sequence[Headline]) -> Section:
    columns = [
        Column("Run", "name", width=50, link=LINK),
        Column("Data set", "dataset", width=20),
        Column("Why", "note", width=44, kept=True),
    ]
    return Section(columns, [row.columns(figures) for row in rows], "Not ranked", anchor="not-ranked")


def _figure_column(figure: Headline, full: bool) -> Column:
    wide = figure.wide or (full and figure is MACRO_F1)  # the terminal has room for differences or options, or for this
    return Column(figure.heading, partial(_figure, figure), width=12, value=figure.key, wide=wide)


def _figure(figure: Headline, row: Row) -> str:
    """Published numbers have the digits that they were printed with."""
    estimate = figure.estimate(row)
    value = estimate.value
    return figure.cell(estimate, f"{100 * value:.4g}" if row["kind"] == PUBLISHED and value is not None else None)


def _rank(row: Row) -> str:
    return text.rank(row["rank_low"], row["rank_high"], row["leading"])


def _run(row: Row) -> str:
    return NOTHING if row["kind"] == PUBLISHED else str(row["name"])


def _model(row: Row) -> str:
    """``backbone[:model] + adapter``, paths by their last part; a model named like its backbone is left out."""
    if row["kind"] == PUBLISHED:
        return str(row["name"])
    model = last_part(row["model"])
    name = row["backbone"]
    if model and not model.casefold().startswith(name.casefold()):
        name += f":{model}"
    return f"{name} + {last_part(row['adapter'])}" if row["adapter"] else name


def _strategy(row: Row) -> str:
    """``strategy, decode``; the parser where it is not the usual one, and what is done to the images, where it is
    anything. Nothing was decoded for a file."""
    if row["kind"] == PUBLISHED:
        return "published"
    parser = f"{row['parser']} parser" if row["parser"] not in (None, "standard") else None
    decode = row["decode"] if row["decode"] != EXTERNAL else None
    return ", ".join(filter(None, [row["strategy"], decode, parser, row["preparation"]]))


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return NOTHING if row["kind"] == PUBLISHED else "baseline"
    return text.difference(row["difference"], row["difference_low"], row["difference_high"])


def _remarks(row: RunRow) -> list[str]:
    errors = f"{plural(row.errors, 'sample')} not asked about, counted as wrong" if row.errors else None
    return [remark for remark in (row.note, errors) if remark]
