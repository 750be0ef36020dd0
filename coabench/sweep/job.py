"""The sweep job: carries out what a plan says and is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import CoabenchError, JobError, UserError
from coabench.sweep.executor import Ending, Executor
from coabench.sweep.kind import Kind, Outcome
from coabench.sweep.plan import SweepPlan
from coabench.sweep.planned import Planned
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


def sweep(plan: SweepPlan, executor: Executor, progress: SweepProgress) -> list[Result]:
    """Carry out the runs of a plan that are not complete, and return what became of every run.

    A run that fails does not stop the others.

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
        UserError: the executor cannot do what is asked for, or what *prepare* raises; nothing was started.
    """
    executor.check(left)
    prepare()
    problems: dict[Path, str] = {}
    runs = [run for job in left for run in job.members]
    kind = runs[0].kind
    tally = kind.tally([run.directory for run in runs])
    with (
        progress.start(kind, len(runs), sum(run.size for run in runs), tally.count()),
        closing(executor.execute(left)) as endings,
    ):
        for ending in endings:
            progress.advance(tally.count())
            if ending is None:
                continue
            for run in ending.run.members:
                if problem := _problem_of(run, ending):
                    problems[run.directory] = problem
                progress.ended(read_result(run, problem))
                for failure in failures_in(run):
                    progress.note(f"    {failure}")
    return problems


def _problem_of(run: Planned, ending: Ending) -> str | None:
    """Return the problem of a run whose job has ended; of several together, some may be complete nevertheless."""
    if ending.problem is None or ending.run is run:
        return ending.problem
    try:
        return None if run.state.status == COMPLETE else ending.problem
    except CoabenchError:
        return ending.problem


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
