"""The sweep job: carries out what a plan says and is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from coabench.base.processes import World
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import CoabenchError, JobError, UserError, first_line
from coabench.sweep.executor import Ending, Executor
from coabench.sweep.kind import Kind, Outcome
from coabench.sweep.plan import SweepPlan
from coabench.sweep.planned import Planned, share_looks
from coabench.sweep.state import EARLY


class SweepProgress(Protocol):
    """What a running sweep reports."""

    def start(self, kind: Kind, runs: int, size: int, done: int) -> AbstractContextManager[Any]:
        """Begin: *runs* are to be carried out, of whose samples or steps (*size*) so many are *done* already."""
        ...

    def advance(self, done: int) -> None:
        """So many samples or steps are done now; called often."""
        ...

    def ended(self, result: Result) -> None:
        """A run has ended."""
        ...

    def note(self, text: str) -> None: ...


class Silence:
    """No progress at all."""

    def start(self, kind: Kind, runs: int, size: int, done: int) -> AbstractContextManager[Any]:
        return nullcontext()

    def advance(self, done: int) -> None:
        return

    def ended(self, result: Result) -> None:
        return

    def note(self, text: str) -> None:
        return


@dataclass(frozen=True)
class Result:
    """What became of a run, read off its directory.

    Attributes:
        status: ``complete``, ``failed``, ``stopped early``, or how far it was when the sweep was stopped.
        done: its samples with a record, or its steps.
        outcome: what came out, where it is complete or was stopped early.
        problem: why it failed or was not finished, or was stopped early.
    """

    run: Planned
    status: str
    done: int
    outcome: Outcome = field(default_factory=Outcome)
    problem: str | None = None


def sweep(plan: SweepPlan, executor: Executor, progress: SweepProgress, jobs: int = 1) -> list[Result]:
    """Carry out the runs of a plan that are not complete, and return what became of every run.

    A run that fails does not stop the others.

    Args:
        jobs: how many the executor does at a time, as far as that is known.

    Raises:
        UserError: the output cannot be written, or the executor cannot do what the plan asks for; nothing was started.
    """
    for note in (*plan.same, *plan.notes):
        progress.note(note)
    left, job = [run for run in plan.runs if not plan.is_over(run.state)], plan.sheet.kind.job
    ended = "complete" if plan.sheet.asha is None else "complete or stopped early"
    if len(left) < len(plan.runs):
        progress.note(f"{len(plan.runs) - len(left)} of {plural(len(plan.runs), job)} {ended} already")
    if not left:
        return [read_result(run) for run in plan.runs]
    if not executor.spreads:
        left = share_looks(left, jobs)
    problems = carry_out(left, lambda: _make_folder(plan.sheet.output), executor, progress)
    return [read_result(run, problems.get(run.directory)) for run in plan.runs]


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {output} cannot be made",
            found=error.strerror or str(error),
            remedy="correct 'output' in the sheet, or the permissions",
        ) from None


def carry_out(
    left: Sequence[Planned], prepare: Callable[[], None], executor: Executor, progress: SweepProgress
) -> dict[Path, str]:
    """Carry out jobs of one kind, and return the problem of each run that failed, by its folder.

    Args:
        left: one job or more.
        prepare: makes the folder that they are in.

    Raises:
        UserError: the executor cannot do what is asked for, several processes are to share the samples of runs that
            are done together, or what *prepare* raises; nothing was started.
    """
    _check_processes(left)
    executor.check(left)
    prepare()
    problems: dict[Path, str] = {}
    apart: list[Planned] = []
    runs = [run for job in left for run in job.members]
    kind = runs[0].kind
    tally = kind.tally([run.directory for run in runs])

    def ended(ending: Ending) -> None:
        left_over = _left_over(ending)
        if left_over:
            apart.extend(left_over)
            progress.note(
                f"runs that look at the same images were stopped by one of them ({first_line(ending.problem or '')}); "
                f"one by one now: {'; '.join(run.label for run in left_over)}"
            )
        for run in ending.run.members:
            if run in left_over:
                continue
            problem = ending.problem if ending.run is run else None
            if problem:
                problems[run.directory] = problem
            progress.ended(read_result(run, problem))
            for failure in failures_in(run):
                progress.note(f"    {failure}")

    with progress.start(kind, len(runs), sum(run.size for run in runs), tally.count()):
        while left:
            with closing(executor.execute(left)) as endings:
                for ending in endings:
                    progress.advance(tally.count())
                    if ending is not None:
                        ended(ending)
            left, apart = apart, []
            if left:
                executor.check(left)
    return problems


def _check_processes(jobs: Sequence[Planned]) -> None:
    size = World.from_environment().size
    if size > 1 and any(len(job.members) > 1 for job in jobs):
        raise UserError(
            "runs that share their looks are written by one process",
            found=f"WORLD_SIZE={size}",
            remedy="start it without torchrun; --executor local:jobs=N spreads over several devices",
        )


def _left_over(ending: Ending) -> list[Planned]:
    """Return what is left of runs that were carried out together, where one of them may have failed: each is to be
    carried out alone, so that the failure of one is not that of the others."""
    if ending.problem is None or ending.run.members == (ending.run,):
        return []
    return [run for run in ending.run.members if read_result(run).status != COMPLETE]


def failures_in(run: Planned) -> Sequence[str]:
    """Return what plugins failed beside a run, wherever it was carried out: its manifest has it."""
    try:
        return run.kind.failures(run.directory)
    except CoabenchError:  # of which its result speaks
        return []


def read_result(run: Planned, problem: str | None = None) -> Result:
    """Return what became of a run.

    Args:
        problem: that the executor reported.
    """
    try:
        state = run.state
        if problem is None and state.status in (COMPLETE, EARLY):
            return Result(run, state.status, state.done, run.kind.outcome(run.directory), state.reason)
        reason = problem or state.reason or "not finished"
        return Result(run, FAILED if problem or state.reason else state.status, state.done, problem=reason)
    except CoabenchError as error:
        return Result(run, FAILED, run.kind.tally([run.directory]).count(), problem=problem or str(error))


def raise_failed(results: Sequence[Result]) -> None:
    """Raise `JobError` where a run could not be finished."""
    failed = [result for result in results if result.status not in (COMPLETE, EARLY)]
    if failed:
        job = failed[0].run.kind.job
        raise JobError(
            f"{len(failed)} of {plural(len(results), job)} could not be finished",
            found="; ".join(result.run.label for result in failed),
            remedy=f"solve the problem of each, then run the same command: it resumes these {job}s",
        )
