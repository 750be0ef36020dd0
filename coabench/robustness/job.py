"""The stress job: carries out what a plan says and is not there yet, as a sweep does."""

from __future__ import annotations

from coabench.errors import UserError
from coabench.robustness.plan import StressPlan
from coabench.sweep.executor import Executor
from coabench.sweep.job import Result, SweepProgress, carry_out, read_result


def stress(plan: StressPlan, executor: Executor, progress: SweepProgress, jobs: int = 1) -> list[Result]:
    """Carry out the runs of a plan that are not complete, and return what became of every run.

    A run that fails does not stop the others.

    Args:
        jobs: how many the executor does at a time, as far as that is known.

    Raises:
        UserError: the output cannot be written, or the executor cannot do what the plan asks for; nothing was started.
    """
    for left_out in plan.folder.left_out:
        progress.note(f"{left_out.name} is left out: {left_out.reason}")
    for note in plan.notes:
        progress.note(note)
    left = plan.left(jobs)
    done = len(plan.runs) - sum(len(job.members) for job in left)
    if done:
        progress.note(f"{done} of {len(plan.runs)} conditions complete already")
    if not left:
        _write(plan)
        return [read_result(run) for run in plan.runs]
    problems = carry_out(left, lambda: _write(plan), executor, progress)
    return [read_result(run, problems.get(run.directory)) for run in plan.runs]


def _write(plan: StressPlan) -> None:
    """Write which run is which, before the first begins."""
    folder = plan.folder
    try:
        folder.directory.mkdir(parents=True, exist_ok=True)
        folder.write()
    except OSError as error:
        raise UserError(
            f"the folder {folder.directory} cannot be written",
            found=error.strerror or str(error),
            remedy="choose another --output, or correct the permissions",
        ) from None
