"""The evaluate job: a strategy, a backbone and a data set make a run."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base import environment
from coabench.base.files import write_text
from coabench.base.processes import Meeting, World
from coabench.dataset import ImageSource, Sample
from coabench.errors import CoabenchError, OutOfMemory, SampleError
from coabench.evaluation.finish import finish
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.evaluation.progress import Progress, Silence
from coabench.inference.batching import Sizer, sizer_of
from coabench.inference.engine import Outcome, converse
from coabench.inference.loading import Loaded, load_ahead, read_image
from coabench.inference.self_consistency import converse_and_vote
from coabench.registry.blame import contained
from coabench.runs.observers import failure_reported, notify
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.parts import Parts
from coabench.runs.record import make_record
from coabench.runs.result import FinishedRun
from coabench.runs.run import Batch, Run, SharedRun, read_manifest
from coabench.support.image_warnings import WARNED

if TYPE_CHECKING:
    from PIL.Image import Image


@contained()
def evaluate(request: Evaluation, progress: Progress | None = None) -> FinishedRun:
    """Evaluate, or resume the evaluation in the output directory.

    Under torchrun every process calls this: each takes a share of the samples, and all return the same.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe.
    """
    request = replace(request, device=World.from_environment().device(request.device))
    return carry_out(request, check(request), progress or Silence())


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
            for note in [*plan.notes, *_kept_card(plan, directory)]:
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


def _kept_card(plan: Plan, directory: Path) -> Iterator[str]:
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
    with contained(), progress.start(len(plan.samples), run.recorded):
        progress.note("loading the backbone")
        plan.backbone.remember(run.pending)
        plan.backbone.load()
        details = dict(plan.backbone.details())
        _note(run, details, progress)  # what is known only with the weights
        session = {"command": list(request.command), "batch_size": request.batch_size,
                   "processes": meeting.world.size, "device": details.get("device")}  # fmt: skip
        run.start({**session, "backbone": details, "environment": environment.describe()})
        notify(progress.note, "coabench_run_started", run=run)
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
            _note(run, plan.backbone.details(), progress)  # what is known only with the images
        run.manifest["sessions"][-1]["last_batch_size"] = sizer.size


def _note(run: Run, details: Mapping[str, Any], progress: Progress) -> None:
    """Say and record what a backbone says that was not recorded yet."""
    for note in details.get("notes", ()):
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
        append(records)
        progress.advance(records)
        for record in records:
            notify(progress.note, "coabench_sample_predicted", run=run, record=record)


def records_of(plan: Plan, missing: Sequence[Batch], sizer: Sizer) -> Iterator[list[dict[str, Any]]]:
    """Yield the missing records, a batch of the sizer's choice at a time; the backbone is loaded."""
    positions = array("q", (position for batch in missing for position in batch.positions))
    known = {position for batch in missing for position in batch.known}

    def prepare(index: int, image: Image) -> Any:
        sample = plan.samples[positions[index]].id
        return plan.backbone.prepare([*plan.pool.images(sample), image], sample)

    sources = (plan.samples[position].image for position in positions)
    loaded = load_ahead(sources, prepare, ahead=lambda: 2 * sizer.size)
    start = 0
    while start < len(positions):
        started = time.perf_counter()  # waiting for images counts
        chosen = positions[start : start + sizer.size]
        batch = [plan.samples[position] for position in chosen]
        images = list(islice(loaded, len(batch)))
        outcomes = _outcomes(plan, batch, images, sizer)
        elapsed = time.perf_counter() - started
        sizer.observe(len(batch), elapsed)
        seconds = elapsed / len(batch) if plan.backbone.timed else None
        yield [
            make_record(sample, image, plan.task(sample), outcome, seconds)
            for position, sample, image, outcome in zip(chosen, batch, images, outcomes, strict=True)
            if position not in known
        ]
        start += len(batch)


def _outcomes(plan: Plan, batch: Sequence[Sample], loaded: Sequence[Loaded], sizer: Sizer) -> list[Outcome]:
    """Return the outcome of each sample; one whose image cannot be used gets an empty one."""
    usable = [i for i, item in enumerate(loaded) if item.error is None]
    outcomes = [Outcome() for _ in batch]
    asked = [(batch[i], loaded[i].prepared) for i in usable]
    for i, outcome in zip(usable, _converse(plan, asked, sizer), strict=True):
        outcomes[i] = outcome
    return outcomes


def _converse(plan: Plan, samples: Sequence[tuple[Sample, Any]], sizer: Sizer) -> list[Outcome]:
    """Hold the conversations; where memory runs out and the sizer may choose, in halves."""
    if not samples:
        return []
    batch = [(prepared, plan.task(sample)) for sample, prepared in samples]
    try:
        if plan.sampling is None:
            return converse(plan.backbone, plan.strategy, batch, plan.decode, parser=plan.parser, rewrite=plan.rewrites)
        ids, seed = [sample.id for sample, _ in samples], plan.identity.seed or 0
        return converse_and_vote(
            plan.backbone, plan.strategy, batch, ids, plan.sampling, seed, plan.parser, plan.rewrites
        )
    except OutOfMemory:
        if not sizer.shrink(len(samples)):
            raise
    # Only now, the error is forgotten, is the memory free that it held.
    half = len(samples) // 2
    return [*_converse(plan, samples[:half], sizer), *_converse(plan, samples[half:], sizer)]
