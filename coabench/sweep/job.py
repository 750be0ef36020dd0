"""The sweep job: carries out what a plan says and is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, Protocol

from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import CoabenchError, UserError
from coabench.metrics.headline import UAR
from coabench.runs.folder import plugin_failures
from coabench.runs.metrics import read_metrics
from coabench.runs.run import METRICS, read_manifest
from coabench.sweep.executor import Executor
from coabench.sweep.plan import Planned, SweepPlan
from coabench.sweep.state import Tally, count_records, read_state


class SweepProgress(Protocol):
    """What a running sweep reports."""

    def start(self, runs: int, samples: int, done: int) -> AbstractContextManager[Any]:
        """Begin: *runs* are to be carried out, of whose *samples* so many are *done* already."""
        ...

    def advance(self, done: int) -> None:
        """So many samples have their record now; called often."""
        ...

    def ended(self, result: Result) -> None:
        """A run has ended."""
        ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Result:
    """What became of a run, read off its directory.

    Attributes:
        status: ``complete``, ``failed``, or how far it was when the sweep was stopped.
        done: the records in its log.
        metrics: of a complete run, as in its ``metrics.json``.
        seconds: of all its samples together, as its manifest says.
        problem: why it failed or was not finished.
    """

    run: Planned
    status: str
    done: int
    metrics: Mapping[str, Any] | None = None
    seconds: float | None = None
    problem: str | None = None


def sweep(plan: SweepPlan, executor: Executor, progress: SweepProgress) -> list[Result]:
    """Carry out the runs of a plan that are not complete, and return what became of every run.

    A run that fails does not stop the others.

    Raises:
        UserError: the output cannot be written, or the executor cannot do what the plan asks for; nothing was started.
    """
    for note in (*plan.same, *plan.notes):
        progress.note(note)
    left = [run for run in plan.runs if read_state(run.directory, run.identity).status != COMPLETE]
    if len(left) < len(plan.runs):
        progress.note(f"{len(plan.runs) - len(left)} of {plural(len(plan.runs), 'run')} complete already")
    if not left:
        return [read_result(run) for run in plan.runs]
    executor.check(left)
    try:
        plan.sheet.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {plan.sheet.output} cannot be made",
            found=error.strerror or str(error),
            remedy="correct 'output' in the sheet, or the permissions",
        ) from None
    problems: dict[str, str] = {}
    tally = Tally([run.directory for run in left])
    with (
        progress.start(len(left), sum(run.samples for run in left), tally.count()),
        closing(executor.execute(left)) as endings,
    ):
        for ending in endings:
            progress.advance(tally.count())
            if ending is not None:
                if ending.problem is not None:
                    problems[ending.run.directory.name] = ending.problem
                progress.ended(read_result(ending.run, ending.problem))
                for failure in failures_in(ending.run):
                    progress.note(f"    {failure}")
    return [read_result(run, problems.get(run.directory.name)) for run in plan.runs]


def failures_in(run: Planned) -> list[str]:
    """Return what plugins failed beside a run, wherever it was carried out: its manifest has it."""
    try:
        return plugin_failures(read_manifest(run.directory))
    except CoabenchError:  # of which its result speaks
        return []


def read_result(run: Planned, problem: str | None = None) -> Result:
    """Return what became of a run.

    Args:
        problem: that the executor reported.
    """
    try:
        state = read_state(run.directory, run.identity)
        if problem is not None or state.status != COMPLETE:
            reason = problem or state.reason or "not finished"
            return Result(run, FAILED if problem or state.reason else state.status, state.done, problem=reason)
        manifest = read_manifest(run.directory)
        metrics, _ = read_metrics(run.directory, manifest)
        UAR.read(metrics)  # which is printed
        return Result(run, COMPLETE, state.done, metrics, manifest.get("seconds"))
    except CoabenchError as error:
        return Result(run, FAILED, count_records(run.directory), problem=problem or str(error))
    except (LookupError, TypeError, ValueError) as error:
        return Result(run, FAILED, state.done, problem=f"{run.directory / METRICS} is damaged: {error}; delete it")
