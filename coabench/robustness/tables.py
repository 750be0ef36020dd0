"""A stress as tables: what is planned, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coabench.base.text import NOTHING, number, percent, plural
from coabench.errors import first_line
from coabench.metrics.headline import UAR
from coabench.render.tables import Column, Section
from coabench.robustness.folder import FILE
from coabench.robustness.plan import StressPlan
from coabench.sweep.job import Result


def plan_section(plan: StressPlan) -> Section:
    """Return the plan: every condition, how far its run is, and what it changes."""
    rows = [
        row | {"status": run.state.status, "samples": run.size, "done": run.state.done, "questions": run.questions}
        for row, run in zip(_conditions(plan), plan.runs, strict=True)
    ]
    columns = [
        *_COLUMNS,
        Column("Status", "status", kept=True),
        Column("Samples", "samples", "right"),
        Column("Done", "done", "right"),
        Column("Questions", "questions", "right"),
        Column("Change", "change", wide=True),
    ]
    left = plan.left()
    looks = f"{plural(sum(len(job.members) for job in left), 'run')} left, in {plural(len(left), 'job')}: those that "
    looks += "differ in their questions alone look at the images together."
    left_out = [f"Left out: {each.name}: {each.reason}" for each in plan.folder.left_out]
    return Section(columns, rows, f"{plan.folder.suite}: the plan", [looks, *plan.notes, *left_out])


def result_section(plan: StressPlan, results: Sequence[Result]) -> Section:
    """Return what became of every condition."""
    clean = results[0].outcome.uar.value
    rows = [row | _result(result, clean) for row, result in zip(_conditions(plan), results, strict=True)]
    columns = [
        *_COLUMNS,
        Column("Status", "status", kept=True),
        Column("UAR", lambda row: UAR.cell(UAR.estimate(row)), value=UAR.key, kept=True),
        Column("ΔUAR", lambda row: _signed(row["uar_change"]), "right", value="uar_change"),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        Column("Seconds", lambda row: number(row["seconds"], 1), "right", value="seconds"),
        Column("Problem", lambda row: first_line(row["problem"] or NOTHING), width=40, kept=True),
    ]
    if not any(row["problem"] for row in rows):
        columns = [column for column in columns if column.title != "Problem"]
    folder = plan.folder
    notes = [
        "UAR and Inv (answers without a label; counted wrong) in %, UAR with its 95 % interval; ΔUAR: less that of the "
        "clean run, in points. The runs are of the same samples: the intervals of two overlap sooner than they agree.",
        *(f"Left out: {each.name}: {each.reason}" for each in folder.left_out),
        f"Runs: {folder.directory}, one folder for each condition; {FILE} says which is which.",
    ]
    return Section(columns, rows, folder.suite, notes)


_COLUMNS = (Column("Condition", "condition", width=30), Column("Severity", "severity", "right"))


def _conditions(plan: StressPlan) -> list[dict[str, Any]]:
    return [
        {
            "condition": condition.name,
            "family": condition.family,
            "severity": condition.severity,
            "change": " ".join((*condition.transform, *condition.rewrite)) or None,
            "directory": str(plan.folder.path(condition)),
        }
        for condition in plan.folder.conditions
    ]


def _result(result: Result, clean: float | None) -> dict[str, Any]:
    outcome = result.outcome
    known = outcome.uar.value is not None and clean is not None
    return {
        "status": result.status,
        **UAR.columns(outcome.uar),
        "uar_change": outcome.uar.value - clean if known else None,  # type: ignore[operator]  # both are known
        "invalid_rate": outcome.invalid,
        "seconds": outcome.seconds,
        "problem": result.problem,
    }


def _signed(change: float | None) -> str:
    return NOTHING if change is None else f"{100 * change:+.2f}"
