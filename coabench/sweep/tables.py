"""A sweep as tables: what is planned and what it costs, and what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from coabench.base.text import NOTHING, number, percent, plural
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import first_line
from coabench.metrics.headline import UAR
from coabench.render.tables import Column, Row, Section
from coabench.runs.adapter import TrainingManifest
from coabench.runs.folder import read_manifest
from coabench.sweep.costs import Cost
from coabench.sweep.job import Result, failures_in
from coabench.sweep.plan import SweepPlan
from coabench.sweep.planned import Planned
from coabench.sweep.rivals import judged_by
from coabench.sweep.state import EARLY
from coabench.training.result import FinishedTraining

UNKNOWN = "unknown"


def plan_section(plan: SweepPlan, costs: Sequence[Cost], notes: Sequence[str] = ()) -> Section:
    """Return the plan: every run, how far it is, what is left of it and what that costs."""
    kind = plan.sheet.kind
    rows = [
        _options(cost.run)
        | {
            "status": cost.state.status,
            f"{kind.unit}s": cost.run.size,
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
        Column("Status", lambda row: _status(row), kept=True),
        Column(f"{kind.unit.capitalize()}s", f"{kind.unit}s", "right"),
        Column("Questions", _figure("questions", ",.0f"), "right", value="questions"),
        Column("Tokens", _figure("prompt_tokens", ",.0f"), "right", value="prompt_tokens"),
        Column("Seconds", _figure("seconds", ",.0f"), "right", value="seconds"),
        Column("GPU hours", _figure("gpu_hours", ",.2f"), "right", value="gpu_hours"),
        Column("Seconds from", "seconds_from", width=24, wide=True),
        Column("Folder", "directory", wide=True),
    ]
    left = [cost for cost in costs if cost.left]
    totals = [
        f"{plural(len(rows), kind.job)}, {len(left)} of them not complete: "
        f"{plural(sum(cost.left for cost in left), kind.unit)} left.",
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
        kind.legend,
    ]
    return Section(columns, rows, f"{plan.sheet.name}: the plan", [*totals, *plan.same, *plan.notes, *notes])


def result_sections(plan: SweepPlan, results: Sequence[Result]) -> list[Section]:
    """Return what became of every job; of trainings the best first, and with several seeds a second table over them."""
    kind = plan.sheet.kind
    ranked = kind.ranks
    rows = [_result(result) for result in (sorted(results, key=_rank) if ranked else results)]
    columns = [
        *_columns(plan.runs),
        Column("Status", "status", kept=True),
        Column(kind.uar[:1].upper() + kind.uar[1:], lambda row: UAR.cell(UAR.estimate(row)), value=UAR.key, kept=True),
        Column("Inv", lambda row: percent(row["invalid_rate"], 1), "right", value="invalid_rate"),
        *([Column("Step", "selected_step", "right")] if ranked else []),
        Column(f"{kind.unit.capitalize()}s", lambda row: _done(row, f"{kind.unit}s"), "right", value=f"{kind.unit}s"),
        Column("Seconds", lambda row: number(row["seconds"], 1), "right", value="seconds"),
        Column("Problem", lambda row: first_line(row["problem"] or NOTHING), width=40, kept=True),
        Column("Folder", "directory", wide=True),
    ]
    if not any(row["problem"] for row in rows):
        columns = [column for column in columns if column.title != "Problem"]
    legend = f"{kind.uar} and Inv (answers without a label; counted wrong) in %, {kind.uar} with its 95 % interval."
    notes = [legend[:1].upper() + legend[1:], f"{kind.job.capitalize()}s: {plan.sheet.output}"]
    failures = Counter(failure for result in results for failure in failures_in(result.run))
    notes += [f"In {count} of {plural(len(results), kind.job)}: {failure}" for failure, count in failures.items()]
    section = Section(columns, rows, plan.sheet.name, [*notes, *(_next(results) if ranked else [])])
    return [section, *(_over_seeds(plan, results) if ranked else [])]


def _result(result: Result) -> dict[str, Any]:
    run, outcome = result.run, result.outcome
    adapter = None if outcome.folder is None else str(outcome.folder)
    trained = {"selected_step": outcome.step, "adapter": adapter} if run.kind.ranks else {}
    return (
        _options(run)
        | {"status": result.status, **UAR.columns(outcome.uar), "invalid_rate": outcome.invalid}
        | {f"{run.kind.unit}s": run.size, "done": result.done, "seconds": outcome.seconds, "problem": result.problem}
        | {"directory": str(run.directory), **trained}
    )


def _rank(result: Result) -> tuple[bool, bool, float]:
    """Return what puts the best complete training first, and then those that were stopped early."""
    value = result.outcome.uar.value
    return result.status != COMPLETE, value is None, 0.0 if value is None else -value


def _next(results: Sequence[Result]) -> list[str]:
    """Return what to do with the best of complete trainings, in sentences."""
    complete = [r for r in results if r.status == COMPLETE and r.outcome.uar.value is not None]
    judged = {judged_by(r.run.identity) for r in complete}
    early = "Stopped early: with the best dev UAR so far; without 'asha' in the sheet the same command resumes them."
    notes = [early] if any(r.status == EARLY for r in results) else []
    if len(judged) > 1:
        return [*notes, "These dev UARs are of several development parts (data, fold or questions): they rank nothing "
                "across them."]  # fmt: skip
    if complete:
        best = min(complete, key=_rank)
        folder = best.outcome.folder or best.run.directory
        training = FinishedTraining(folder, read_manifest(folder, TrainingManifest))
        command = training.evaluate_command(best.run.request.backbone, best.run.request.crop)
        notes.append(f"Selected by dev UAR, no test split was read. Next, for the best: {command}")
    return notes


def _over_seeds(plan: SweepPlan, results: Sequence[Result]) -> list[Section]:
    """Return a table with the mean over the seeds of every recipe; none where the seed does not vary."""
    if "seed" not in plan.runs[0].varying:
        return []
    recipes: dict[str, list[Result]] = {}
    for result in results:
        options = {name: value for name, value in _options(result.run).items() if name != "seed"}
        recipes.setdefault(json.dumps(options), []).append(result)
    rows = []
    for settings, own in recipes.items():
        complete = [r.outcome.uar.value for r in own if r.status == COMPLETE and r.outcome.uar.value is not None]
        rows.append({
            **json.loads(settings),
            "seeds": len(complete),
            "of": len(own),
            "uar_mean": mean(complete) if complete else None,
            "uar_sd": stdev(complete) if len(complete) > 1 else None,
        })  # fmt: skip
    rows.sort(key=lambda row: -1.0 if row["uar_mean"] is None else row["uar_mean"], reverse=True)
    columns = [
        *(column for column in _columns(plan.runs) if column.show != "seed"),
        Column("Seeds", lambda row: f"{row['seeds']} of {row['of']}", "right", value="seeds"),
        Column("Mean dev UAR", lambda row: percent(row["uar_mean"]), "right", value="uar_mean"),
        Column("SD", lambda row: percent(row["uar_sd"]), "right", value="uar_sd"),
    ]
    note = (
        "Of complete trainings. SD: the standard deviation over seeds, each of which has a development part of its own."
    )
    return [Section(columns, rows, f"{plan.sheet.name}: over seeds", [note])]


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


def _done(row: Row, unit: str) -> str:
    return str(row[unit]) if row["done"] == row[unit] else f"{row['done']} of {row[unit]}"
