"""What is left of a sweep, and what it will cost as far as that is known: nothing here is guessed.

Tokens come from the backbone, which counts those of some samples' prompts. Seconds come from records: those of the run
itself, else of another run of the same backbone, strategy, decode, label space and device, in the sweep's folder or
measured for the purpose; of trainings, of another one that differs in nothing but what costs no time. GPU hours are
those seconds times the GPUs that a run takes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coabench.base.text import plural
from coabench.errors import CoabenchError, first_line
from coabench.sweep.executor import Executor
from coabench.sweep.kind import Kind
from coabench.sweep.plan import SweepPlan, limited
from coabench.sweep.planned import Planned
from coabench.sweep.sheet import Sheet
from coabench.sweep.state import State


@dataclass(frozen=True)
class Pace:
    """Seconds per sample that were measured, and where."""

    seconds: float
    where: str


@dataclass(frozen=True)
class Cost:
    """What is left of a run; None where that is unknown.

    Attributes:
        left: its samples that have no record yet, or its steps.
        tokens: of all prompts that are left, images included.
        seconds: of all that is left; not of loading the backbone.
        where: the run that the pace was seen in.
    """

    run: Planned
    state: State
    left: int
    tokens: float | None
    seconds: float | None
    gpu_hours: float | None
    where: str | None


def estimate(plan: SweepPlan, measured: Mapping[str, Pace] | None = None) -> list[Cost]:
    """Return the cost of every run of a plan that was made with ``probe``.

    Args:
        measured: what `measure` returned.
    """
    paces = {**(measured or {}), **dict(_recorded(plan.sheet))}
    return [_cost(plan, run, paces) for run in plan.runs]


def measure(runs: Sequence[Planned], limit: int, executor: Executor) -> tuple[dict[str, Pace], list[str]]:
    """Carry out some samples of runs, in a folder that is deleted, for their pace.

    Of runs whose pace is the same, one is measured. Failures are returned, a line each: they only leave no estimate.
    """
    paces: dict[str, Pace] = {}
    problems: list[str] = []
    representatives = {pace_of(run): run for run in reversed(runs)}
    with tempfile.TemporaryDirectory(prefix="coabench-") as folder:
        chosen = {run.label: run for run in representatives.values()}
        short = [limited(run, limit, Path(folder) / str(i)) for i, run in enumerate(chosen.values())]
        for ending in executor.execute(short):
            if ending is None:
                continue
            run = ending.run
            if ending.problem is not None:
                problems.append(f"{run.label} could not be measured: {first_line(ending.problem)}")
            elif pace := _pace(run.kind, run.directory, f"measured on {plural(run.size, run.kind.unit)}"):
                paces[pace_of(run)] = pace
    return paces, problems


def unknown(plan: SweepPlan) -> list[Planned]:
    """Return the runs of which there is something left and no pace known."""
    return [cost.run for cost in estimate(plan) if cost.left and cost.seconds is None]


def _cost(plan: SweepPlan, run: Planned, paces: Mapping[str, Pace]) -> Cost:
    state = run.state
    left = 0 if plan.is_over(state) else run.size - state.done
    own = _pace(run.kind, run.directory, "its own records") if state.done else None
    pace = own or paces.get(pace_of(run))
    tokens = 0.0 if not left else None if run.tokens is None else run.tokens * left
    seconds = 0.0 if not left else None if pace is None else pace.seconds * left
    gpus = gpus_of(run)
    hours = 0.0 if gpus == 0 or not left else None if seconds is None else gpus * seconds / 3600
    return Cost(run, state, left, tokens, seconds, hours, pace.where if pace and left else None)


def gpus_of(run: Planned) -> float:
    """Return how many GPUs a run takes: what the sheet reserves for it, else one where it would run on CUDA."""
    if run.resources.gpus is not None:
        return run.resources.gpus
    return 1.0 if (run.device or "").startswith("cuda") else 0.0


def pace_of(run: Planned) -> str:
    """Return what jobs of the same pace have in common. Of a CUDA device its name counts and not its number."""
    return run.kind.same_pace(run.identity, _name(run.device))


def _name(device: str | None) -> str | None:
    return (device or "").partition("(")[2].rstrip(")") or device


def _recorded(sheet: Sheet) -> Iterator[tuple[str, Pace]]:
    """Yield the paces of the jobs in a sweep's folder."""
    for directory, identity, device in sheet.kind.recorded(sheet.output):
        if pace := _pace(sheet.kind, directory, directory.name):
            yield sheet.kind.same_pace(identity, _name(device)), pace


def _pace(kind: Kind, directory: Path, where: str) -> Pace | None:
    try:
        seconds = kind.pace(directory)
    except CoabenchError:
        return None
    return None if seconds is None else Pace(seconds, where)
