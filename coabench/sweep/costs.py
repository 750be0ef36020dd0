"""What is left of a sweep, and what it will cost as far as that is known: nothing here is guessed.

Tokens come from the backbone, which counts those of some samples' prompts. Seconds come from records: those of the run
itself, else of another run of the same backbone, strategy, decode, label space and device, in the sweep's folder or
measured for the purpose. GPU hours are those seconds times the GPUs that a run takes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.errors import CoabenchError, first_line
from coabench.reports.entries import find_runs
from coabench.runs.identity import RunIdentity
from coabench.runs.run import read_manifest, read_records
from coabench.sweep.executor import Executor
from coabench.sweep.plan import Planned, SweepPlan, limited
from coabench.sweep.state import State, read_state


@dataclass(frozen=True)
class Pace:
    """Seconds per sample that were measured, and where."""

    seconds: float
    where: str


@dataclass(frozen=True)
class Cost:
    """What is left of a run; None where that is unknown.

    Attributes:
        samples: that have no record yet.
        tokens: of all prompts that are left, images included.
        seconds: of all samples that are left; not of loading the backbone.
        where: the run that the pace was seen in.
    """

    run: Planned
    state: State
    samples: int
    tokens: float | None
    seconds: float | None
    gpu_hours: float | None
    where: str | None


def estimate(plan: SweepPlan, measured: Mapping[str, Pace] | None = None) -> list[Cost]:
    """Return the cost of every run of a plan that was made with ``probe``.

    Args:
        measured: what `measure` returned.
    """
    paces = {**(measured or {}), **dict(_recorded(plan.sheet.output))}
    return [_cost(run, paces) for run in plan.runs]


def measure(runs: Sequence[Planned], limit: int, executor: Executor) -> tuple[dict[str, Pace], list[str]]:
    """Carry out some samples of runs, in a folder that is deleted, for their pace.

    Of runs whose pace is the same, one is measured. Failures are returned, a line each: they only leave no estimate.
    """
    paces: dict[str, Pace] = {}
    problems: list[str] = []
    representatives = {kind_of(run.identity, run.device): run for run in reversed(runs)}
    with tempfile.TemporaryDirectory(prefix="coabench-") as folder:
        chosen = {run.label: run for run in representatives.values()}
        short = [limited(run, limit, Path(folder) / str(i)) for i, run in enumerate(chosen.values())]
        for ending in executor.execute(short):
            if ending is None:
                continue
            run = ending.run
            if ending.problem is not None:
                problems.append(f"{run.label} could not be measured: {first_line(ending.problem)}")
            elif pace := _pace(run.directory, f"measured on {plural(run.samples, 'sample')}"):
                paces[kind_of(run.identity, run.device)] = pace
    return paces, problems


def unknown(plan: SweepPlan) -> list[Planned]:
    """Return the runs of which there is something left and no pace known."""
    return [cost.run for cost in estimate(plan) if cost.samples and cost.seconds is None]


def _cost(run: Planned, paces: Mapping[str, Pace]) -> Cost:
    state = read_state(run.directory, run.identity)
    left = 0 if state.status == COMPLETE else run.samples - state.done
    own = _pace(run.directory, "its own records") if state.done else None
    pace = own or paces.get(kind_of(run.identity, run.device))
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


def kind_of(identity: RunIdentity, device: str | None) -> str:
    """Return what runs of the same pace have in common.

    The label space is part of it, since a strategy may ask more of one than of another. Of a CUDA device its name
    counts and not its number.
    """
    name = (device or "").partition("(")[2].rstrip(")") or device
    answering = [identity.backbone.to_json(), identity.strategy.to_json(), identity.decode]
    paths = identity.self_consistency.samples if identity.self_consistency else 1
    parts = [*answering, paths, identity.dataset.labels, name]
    return json.dumps(parts, sort_keys=True)


def _recorded(folder: Path) -> Iterator[tuple[str, Pace]]:
    """Yield the paces of the runs in a folder."""
    try:
        directories = find_runs(folder)
    except CoabenchError:  # no folder yet, or no run in it
        return
    for directory in directories:
        try:
            manifest = read_manifest(directory)
            devices = {session.get("device") for session in manifest.get("sessions") or ()}
        except CoabenchError:
            continue
        if len(devices) == 1 and (pace := _pace(directory, directory.name)):
            yield kind_of(RunIdentity.read(manifest["identity"]), devices.pop()), pace


def _pace(directory: Path, where: str) -> Pace | None:
    try:
        seconds = [record.get("seconds") for record in read_records(directory)]
    except CoabenchError:
        return None
    timed = [s for s in seconds if s is not None]
    return Pace(mean(timed), where) if timed and len(timed) == len(seconds) else None
