"""A sweep as tables: what is planned and what it costs, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from coabench.base.text import NOTHING, percent, plural
from coabench.base.vocabulary import FAILED
from coabench.errors import first_line
from coabench.metrics.headline import UAR, Estimate
from coabench.render.tables import Column, Row, Section
from coabench.sweep.costs import Cost
from coabench.sweep.job import Result, failures_in
from coabench.sweep.plan import Planned, SweepPlan

UNKNOWN = "unknown"


def plan_section(plan: SweepPlan, costs: Sequence[Cost], notes: Sequence[str] = ()) -> Section:
    """Return the plan: every run, how far it is, what is left of it and what that costs."""
    rows = [
        _options(cost.run)
        | {
            "status": cost.state.status,
            "samples": cost.run.samples,
            "done": cost.state.done,
            "questions": cost.run.questions,
            "prompt_tokens": cost.tokens,
            "seconds": cost.seconds,
            "gpu_hours": cost.gpu_hours,
            "seconds_from": cost.where,
            "directory": str(cost.run.directory),
        }
        for cost in costs
    ]
    columns = [
        *_columns(plan.runs),
        Column("Status", lambda row: _status(row)),
        Column("Samples", "samples", "right"),
        Column("Questions", "questions", "right"),
        Column("Tokens", _figure("prompt_tokens", ",.0f"), "right", value="prompt_tokens"),
        Column("Seconds", _figure("seconds", ",.0f"), "right", value="seconds"),
        Column("GPU hours", _figure("gpu_hours", ",.2f"), "right", value="gpu_hours"),
        Column("Seconds from", "seconds_from", width=24, wide=True),
        Column("Folder", "directory", wide=True),
    ]
    left = [cost for cost in costs if cost.samples]
    samples = plural(sum(cost.samples for cost in left), "sample")
    totals = [
        f"{plural(len(rows), 'run')}, {len(left)} of them not complete: {samples} left.",
        "Left: "
        + "; ".join(
            _sum(name, [getattr(cost, key) for cost in left], spec)
            for name, key, spec in (
                ("tokens", "tokens", ",.0f"),
                ("seconds", "seconds", ",.0f"),
                ("GPU hours", "gpu_hours", ",.2f"),
            )
        )
        + ".",
        "Questions: of a sample, when every answer is the first option. Tokens: of their prompts, images included, as "
        "the backbone counts them. Seconds: at the pace of records that are there already; loading is not in them.",
    ]
    return Section(columns, rows, f"{plan.sheet.name}: the plan", [*totals, *plan.same, *plan.notes, *notes])


def result_section(plan: SweepPlan, results: Sequence[Result]) -> Section:
    """Return what became of every run."""
    rows = []
    for result in results:
        metrics = result.metrics or {}
        uar = UAR.read(metrics) if metrics else Estimate()
        rows.append(
            _options(result.run)
            | {
                "status": result.status,
                **UAR.columns(uar),
                "invalid_rate": metrics.get("invalid_rate"),
                "samples": result.run.samples,
                "done": result.done,
                "seconds": result.seconds,
                "problem": result.problem,
                "directory": str(result.run.directory),
            }
        )
    columns = [
        *_columns(plan.runs),
        Column("Status", "status"),
        Column("UAR", lambda row: UAR.cell(UAR.estimate(row)), value=UAR.key),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        Column("Samples", lambda row: _samples(row), "right", value="samples"),
        Column(
            "Seconds",
            lambda row: NOTHING if row["seconds"] is None else f"{row['seconds']:,.1f}",
            "right",
            value="seconds",
        ),
        Column("Problem", lambda row: first_line(row["problem"] or NOTHING), width=40),
        Column("Folder", "directory", wide=True),
    ]
    if not any(row["problem"] for row in rows):
        columns = [column for column in columns if column.title != "Problem"]
    legend = "UAR and Inv (answers without a label; counted wrong) in %, UAR with its 95 % interval."
    failures = Counter(failure for result in results for failure in failures_in(result.run))
    failed = [f"In {count} of {plural(len(results), 'run')}: {failure}" for failure, count in failures.items()]
    return Section(columns, rows, plan.sheet.name, [legend, f"Runs: {plan.sheet.output}", *failed])


def _options(run: Planned) -> dict[str, Any]:
    return {key: _plain(value) for key, value in run.varying.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(value) or None
    return str(value) if isinstance(value, Path) else value


def _columns(runs: Sequence[Planned]) -> list[Column]:
    return [Column(_title(key), key, width=26, choices=True) for key in runs[0].varying]


def _title(key: str) -> str:
    return "Data set" if key == "dataset" else key if "." in key else key.replace("_", " ").capitalize()


def _figure(key: str, spec: str) -> Callable[[Row], str]:
    return lambda row: UNKNOWN if row[key] is None else format(row[key], spec)


def _sum(name: str, values: Sequence[float | None], spec: str) -> str:
    known = [value for value in values if value is not None]
    missing = len(values) - len(known)
    if not known and missing:
        return f"{name} {UNKNOWN}"
    return f"{sum(known):{spec}} {name}" + (f" and those of {plural(missing, 'run')}, {UNKNOWN}" if missing else "")


def _status(row: Row) -> str:
    return f"{row['status']}, {row['done']} done" if row["status"] in ("begun", FAILED) else str(row["status"])


def _samples(row: Row) -> str:
    return str(row["samples"]) if row["done"] == row["samples"] else f"{row['done']} of {row['samples']}"
