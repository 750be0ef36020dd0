"""Runs that ask other questions about the same images: one process looks once, and writes all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from coabench.errors import UserError
from coabench.evaluation.finish import finish
from coabench.evaluation.job import begin, keep_card, load, note_details, write
from coabench.evaluation.plan import Evaluation, Plan
from coabench.evaluation.progress import Progress
from coabench.evaluation.records import shared_records
from coabench.evaluation.unchanged import check_unchanged
from coabench.evaluation.warm import look_of
from coabench.inference.batching import sizer_of
from coabench.registry.blame import contained
from coabench.runs.observers import failure_reported
from coabench.runs.run import Run


def evaluate_together(requests: Sequence[Evaluation], plans: Sequence[Plan], progress: Progress) -> None:
    """Carry out, or resume, runs that differ in nothing but what they ask; see `coabench.evaluation.warm.look_of`.

    The images of a batch are looked at once, then the dialogues of one run after the other are held. What is recorded
    is what each run would record alone. Where one of them fails, all stop: each is as far as its log says.

    Args:
        requests: each with its output; of the same batch size and device.
        plans: of the requests.

    Raises:
        UserError: the runs cannot share a look, or what a run of its own would raise; nothing was written.
        JobError: a run could not be finished; the records so far are safe.
    """
    if len({look_of(plan) for plan in plans}) > 1:
        raise UserError(
            "runs can share their looks that ask one model about the same images", remedy="carry them out one by one"
        )
    with ExitStack() as stack:
        opened = [
            stack.enter_context(failure_reported(_opened(request, plan), progress.note))
            for request, plan in zip(requests, plans, strict=True)
        ]
        for run, plan in zip(opened, plans, strict=True):
            for note in keep_card(plan, run.directory):
                progress.note(note)
        left = [i for i, run in enumerate(opened) if not run.complete]
        if left:
            _fill([opened[i] for i in left], [requests[i] for i in left], [plans[i] for i in left], progress)
        for i in left:
            finish(opened[i], progress)


def _opened(request: Evaluation, plan: Plan) -> Run:
    assert request.output is not None
    return Run(request.output, plan.manifest, [s.id for s in plan.samples], overwrite=request.overwrite)


def _fill(runs: Sequence[Run], requests: Sequence[Evaluation], plans: Sequence[Plan], progress: Progress) -> None:
    """Write the missing records of all runs."""
    for run in runs:
        if run.parts:
            raise UserError(
                f"several processes have begun {run.directory}, and what they wrote is not merged yet",
                remedy="continue that run as it was begun, or delete its folder",
            )
    check_unchanged(runs, plans[0].samples)
    backbone, sizer = plans[0].backbone, sizer_of(requests[0].batch_size)
    with contained():
        load(plans[0], runs[0], progress)
        for run, request in zip(runs, requests, strict=True):
            begin(run, backbone, request, progress)
        missing = [run.missing(sizer.size) for run in runs]
        try:
            for batches in shared_records(plans, missing, backbone, sizer):
                for run, records in zip(runs, batches, strict=True):
                    write(run, run.append, records, progress)
        finally:
            for run in runs:
                note_details(run, backbone, progress)
        for run in runs:
            run.manifest["sessions"][-1]["last_batch_size"] = sizer.size
