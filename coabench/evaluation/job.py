"""The evaluate job: a strategy, a backbone and a data set make a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coabench.backbone import Backbone
from coabench.base import environment
from coabench.base.files import write_text
from coabench.base.processes import Meeting, World
from coabench.dataset import ImageSource
from coabench.errors import CoabenchError, SampleError
from coabench.evaluation.finish import finish
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.evaluation.progress import Progress, Silence
from coabench.evaluation.records import records_of
from coabench.evaluation.unchanged import check_unchanged
from coabench.inference.batching import Sizer, sizer_of
from coabench.inference.loading import read_image
from coabench.registry.blame import contained
from coabench.runs.observers import failure_reported, notify
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.parts import Parts
from coabench.runs.result import FinishedRun
from coabench.runs.run import Batch, Run, SharedRun, read_manifest
from coabench.support.image_warnings import WARNED


@contained()
def evaluate(request: Evaluation, progress: Progress | None = None) -> FinishedRun:
    """Evaluate, or resume the evaluation in the output directory.

    Under torchrun every process calls this: each takes a share of the samples, and all return the same.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe.
    """
    request = replace(request, device=World.from_environment().device(request.device))
    plan = check(request)
    try:
        return carry_out(request, plan, progress or Silence())
    finally:
        plan.backbone.close()


def carry_out(request: Evaluation, plan: Plan, progress: Progress) -> FinishedRun:
    """Carry out a checked plan; see `evaluate`."""
    world = World.from_environment()
    directory = request.output or Path("results") / plan.name
    plan = _as_begun(plan, directory, request)
    if world.size > 1:
        progress.note(f"one of {world.size} processes (RANK, WORLD_SIZE): waiting for the others")
    with world.meeting() as meeting:
        if not world.first:
            _compute_share(directory, plan, request, meeting)
            return FinishedRun(directory, *meeting.agree())
        opened = Run(directory, plan.manifest, [s.id for s in plan.samples], overwrite=request.overwrite)
        with failure_reported(opened, progress.note) as run:
            for note in [*plan.notes, *keep_card(plan, directory)]:
                progress.note(note)
            if run.complete:
                progress.note(f"{directory} is already complete: nothing to do")
                meeting.agree([run.manifest, []])
                meeting.wait()
            else:
                _fill(run, plan, request, progress, meeting)
            done = finish(run, progress)
            meeting.agree([done.manifest, done.metrics])
            return done


def keep_card(plan: Plan, directory: Path) -> Iterator[str]:
    """Write the card that was made from a folder beside the run, unless there is one, and say so."""
    directory = directory if directory.name else directory.absolute()
    path = directory.with_name(f"{directory.name}.card.yaml")
    if plan.card is None or path.exists():
        return
    try:
        write_text(path, plan.card)
    except OSError as error:
        yield f"the card of the folder could not be written to {path}: {error.strerror}"
        return
    yield f"the data set is described in {path}; to change that, edit it and pass it as --dataset, with --data-root"


def _as_begun(plan: Plan, directory: Path, request: Evaluation) -> Plan:
    """Return the plan as 0.1.0 described it where that began this very run.

    It named no version of the image reader, recorded no votes, and named the decode mode that was chosen, whether or
    not it made a difference. Only where both versions read every image alike, so that none of its records would be
    another today.
    """
    dataset = replace(plan.identity.dataset, votes=None)
    old = replace(plan.identity, images=None, decode=request.decode, dataset=dataset)
    try:
        begun = read_manifest(directory)["identity"]
    except CoabenchError:
        return plan  # there is none, or a damaged one, which `Run` refuses
    if begun != old.to_json() or not all(_is_plain(sample.image) for sample in plan.samples):
        return plan
    return replace(plan, identity=old, samples=[replace(sample, votes={}) for sample in plan.samples])


def _is_plain(source: ImageSource) -> bool:
    try:
        return all(note.startswith(WARNED) for note in read_image(source).notes)
    except SampleError:
        return False


def _fill(run: Run, plan: Plan, request: Evaluation, progress: Progress, meeting: Meeting) -> None:
    """Write the missing records: all of them, or a share where several processes work."""
    sizer = sizer_of(request.batch_size)
    check_unchanged([run], plan.samples)
    with contained(), progress.start(len(plan.samples), run.recorded):
        load(plan, run, progress)
        begin(run, plan.backbone, request, progress, meeting.world.size)
        missing = run.missing(sizer.size)
        try:
            if meeting.world.size == 1 and not run.parts:
                _write(run, run.append, plan, missing, sizer, progress)
            else:
                meeting.agree([run.manifest, [batch.to_json() for batch in missing]])
                with run.parts.writer() as part:
                    _write(run, part.append, plan, missing[:: meeting.world.size], sizer, progress)
                meeting.wait()
                run.merge()
        finally:
            note_details(run, plan.backbone, progress)  # what is known only with the images
        run.manifest["sessions"][-1]["last_batch_size"] = sizer.size


def load(plan: Plan, run: Run, progress: Progress) -> None:
    """Load the backbone of a run, unless an earlier run of this process has."""
    plan.backbone.remember(run.pending)
    if not plan.weights.loaded:
        progress.note("loading the backbone")
        plan.backbone.load()
        plan.weights.loaded = True


def begin(run: Run, backbone: Backbone[Any], request: Evaluation, progress: Progress, processes: int = 1) -> None:
    """Record that a session of a run begins, whose backbone is loaded."""
    note_details(run, backbone, progress)  # what is known only with the weights
    details = dict(backbone.details())
    session = {"command": list(request.command), "batch_size": request.batch_size,
               "processes": processes, "device": details.get("device")}  # fmt: skip
    run.start({**session, "backbone": details, "environment": environment.describe()})
    notify(progress.note, "coabench_run_started", run=run)


def note_details(run: Run, backbone: Backbone[Any], progress: Progress) -> None:
    """Say and record what a backbone says that was not recorded yet."""
    for note in backbone.details().get("notes", ()):
        if note not in run.manifest["notes"]:
            progress.note(note)
            run.manifest["notes"].append(note)


def _compute_share(directory: Path, plan: Plan, request: Evaluation, meeting: Meeting) -> None:
    """Compute this process's share of what the first process lists as missing."""
    manifest, missing = meeting.agree()
    share = [Batch.read(batch) for batch in missing[meeting.world.rank :: meeting.world.size]]
    if share:
        run = SharedRun(directory, manifest)
        plan.backbone.remember(run.pending)
        plan.backbone.load()
        with Parts(directory / PARTS).writer() as part:
            _write(run, part.append, plan, share, sizer_of(request.batch_size), Silence())
    meeting.wait()


def _write(
    run: Run | SharedRun,
    append: Callable[[Sequence[Mapping[str, Any]]], None],
    plan: Plan,
    missing: Sequence[Batch],
    sizer: Sizer,
    progress: Progress,
) -> None:
    """Compute the records that are missing and write them, batch by batch."""
    for records in records_of(plan, missing, sizer):
        write(run, append, records, progress)


def write(
    run: Run | SharedRun,
    append: Callable[[Sequence[Mapping[str, Any]]], None],
    records: Sequence[Mapping[str, Any]],
    progress: Progress,
) -> None:
    """Write the records of a batch, and report them."""
    append(records)
    progress.advance(records)
    for record in records:
        notify(progress.note, "coabench_sample_predicted", run=run, record=record)
