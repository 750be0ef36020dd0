"""The evaluate job: a strategy, a backbone and a data set make a run."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.backbone import Backbone
from coabench.base import environment
from coabench.base.processes import Meeting, World
from coabench.dataset import Dataset, Sample
from coabench.decode import Decode
from coabench.dialogue import Task
from coabench.errors import CoabenchError, JobError, OutOfMemory, UserError
from coabench.evaluation.finish import FinishedRun, Progress, Silence, finish, tell
from coabench.evaluation.respondent import Respondent
from coabench.inference.batching import BatchSize, Sizer, sizer_of
from coabench.inference.engine import Outcome, converse
from coabench.inference.exemplars import ExemplarPool, draw_pool
from coabench.inference.loading import Loaded, load_ahead
from coabench.registry.catalog import find_dataset
from coabench.registry.defaults import BATCH_SIZE, DECODE, DEVICE, DTYPE, SEED
from coabench.runs.adapter import Told
from coabench.runs.folder import folder_name
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.parts import Parts
from coabench.runs.record import make_record
from coabench.runs.run import Batch, Run, SharedRun
from coabench.strategy import Strategy

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate, as the command line says it.

    Attributes:
        backbone: ``NAME[:MODEL]``; from Python, a class.
        strategy: ``NAME[:VARIANT]`` or a prompt file; from Python, a strategy itself.
        dataset: ``NAME`` or a card.
        adapter: a folder or hub id, ``none``, or None for the one that ships with the backbone, if any.
        options: ``--set`` assignments.
        batch_size: how many samples go through the model together, or ``auto`` for what is fastest and fits.
        allow_trained_split: score a split that the adapter was trained on.
        output: the run directory; None for one named after what runs, below ``results``.
    """

    backbone: str | type[Backbone[Any]]
    strategy: str | Strategy
    dataset: str
    adapter: str | None = None
    data_root: Path | None = None
    split: str | None = None
    limit: int | None = None
    batch_size: BatchSize = BATCH_SIZE
    decode: Decode = DECODE
    device: str = DEVICE
    dtype: str = DTYPE
    seed: int = SEED
    options: Mapping[str, str] | None = None
    output: Path | None = None
    overwrite: bool = False
    allow_trained_split: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that was checked before the backbone's weights are loaded."""

    dataset: Dataset
    samples: Sequence[Sample]
    strategy: Strategy
    pool: ExemplarPool
    backbone: Backbone[Any]
    decode: Decode

    def task(self, sample: Sample) -> Task:
        return Task(self.dataset.card.space, self.pool.exemplars(sample.id))


def evaluate(request: Evaluation, progress: Progress | None = None) -> FinishedRun:
    """Evaluate, or go on with the evaluation that is in the output directory.

    Under torchrun every process calls this: each takes a share of the samples, and all return the same.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe.
    """
    request = replace(request, device=World.from_environment().device(request.device))
    return carry_out(request, *check(request), progress or Silence())


def carry_out(request: Evaluation, plan: Plan, manifest: Mapping[str, Any], progress: Progress) -> FinishedRun:
    """Do what `check` has found to be right; see `evaluate`."""
    world, manifest = World.from_environment(), dict(manifest)
    name = manifest.pop("name")
    directory = request.output or Path("results") / name
    if world.size > 1:
        progress.note(f"one of {world.size} processes (RANK, WORLD_SIZE): waiting for the others")
    with world.meeting() as meeting:
        if not world.first:
            _help(directory, plan, request, meeting)
            done: FinishedRun = meeting.agree(None)
            return done
        with Run(directory, manifest, [s.id for s in plan.samples], overwrite=request.overwrite) as run:
            for note in manifest["notes"]:
                progress.note(note)
            if run.complete:
                progress.note(f"{directory} is already complete: nothing to do")
                meeting.agree((run.manifest, []))
                meeting.wait()
            else:
                _fill(run, plan, request, progress, meeting)
            return meeting.agree(finish(run, progress))  # type: ignore[no-any-return]


def check(request: Evaluation) -> tuple[Plan, dict[str, Any]]:
    """Check the whole request, cheapest first, and return the plan and the manifest to open the run with.

    Raises:
        UserError: bad input.
    """
    choice = find_dataset(request.dataset)
    respondent = Respondent.find(request, {"dataset": choice.loader.load().Options})
    strategy, space = respondent.strategy, choice.card.space
    dataset = choice.open(request.data_root, respondent.options["dataset"])
    split = request.split or choice.card.splits[0]
    samples = _samples(dataset, split, request.limit)
    fingerprint = dataset.fingerprint(split)
    trained = [
        note
        for taught in (respondent.told, Told.by(respondent.model))  # a fully trained model has a history, too
        for note in taught.check_split(choice.card.name, split, fingerprint, request.allow_trained_split)
    ]
    pool = draw_pool(dataset, split, strategy, request.seed)
    questions = respondent.rehearse(Task(space, pool.exemplars(samples[0].id)))
    backbone = respondent.open(questions)
    identity = {
        **respondent.identity(backbone),
        "dataset": choice.identity(dataset, split, fingerprint, len(samples), request.limit),
        "exemplars": pool.identity(),
    }
    notes = [*dataset.notes(), *trained, *respondent.notes(backbone)]
    if request.limit is not None:
        notes.append(f"--limit {request.limit}: this run's numbers are not comparable and will not be ranked")
    plan = Plan(dataset, samples, strategy, pool, backbone, request.decode)
    name = folder_name([choice.card.name, strategy.name, respondent.registration.name], identity)
    return plan, {"name": name, "identity": identity, "labels": space.describe(), "notes": notes}


def _samples(dataset: Dataset, split: str, limit: int | None) -> Sequence[Sample]:
    samples = dataset.samples(split)
    if not samples:
        raise UserError(f"split {split!r} of {dataset.card.name!r} has no samples", remedy="choose another --split")
    return samples if limit is None else samples[:limit]


def _fill(run: Run, plan: Plan, request: Evaluation, progress: Progress, meeting: Meeting) -> None:
    """Write the records that are missing: all of them, or a share where others help."""
    sizer = sizer_of(request.batch_size)
    try:
        with progress.start(len(plan.samples), run.there):
            progress.note("loading the backbone")
            plan.backbone.remember(run.pending)
            plan.backbone.load()
            details = dict(plan.backbone.details())
            for note in details.get("notes", ()):
                if note not in run.manifest["notes"]:  # what only the weights could tell
                    progress.note(note)
                    run.manifest["notes"].append(note)
            session = {"command": list(request.command), "batch_size": request.batch_size,
                       "processes": meeting.world.size, "device": details.get("device")}  # fmt: skip
            run.start({**session, "backbone": details, "environment": environment.describe()})
            tell(progress, "coabench_run_started", run=run)
            missing = run.missing(sizer.size)
            if meeting.world.size == 1 and not run.parts:
                _write(run, run.append, plan, missing, sizer, progress)
            else:
                meeting.agree((run.manifest, missing))
                with run.parts.writer() as part:
                    _write(run, part.append, plan, missing[:: meeting.world.size], sizer, progress)
                meeting.wait()
                run.merge()
            run.manifest["sessions"][-1]["last_batch_size"] = sizer.size
    except (CoabenchError, KeyboardInterrupt) as error:
        if isinstance(error, JobError):
            run.fail(str(error))
        raise
    except Exception as error:
        run.fail(f"{type(error).__name__}: {error}")
        raise


def _help(directory: Path, plan: Plan, request: Evaluation, meeting: Meeting) -> None:
    """Do a share of what the first process finds missing."""
    manifest, missing = meeting.agree(None)
    share = missing[meeting.world.rank :: meeting.world.size]
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
            tell(progress, "coabench_sample_predicted", run=run, record=record)


def records_of(plan: Plan, missing: Sequence[Batch], sizer: Sizer) -> Iterator[list[dict[str, Any]]]:
    """Yield the missing records, a batch of the sizer's choice at a time; the backbone is loaded."""
    positions = array("q", (position for batch in missing for position in batch.positions))
    known = {position for batch in missing for position in batch.known}

    def prepare(place: int, image: Image) -> Any:
        sample = plan.samples[positions[place]].id
        return plan.backbone.prepare([*plan.pool.images(sample), image], sample)

    sources = (plan.samples[position].image for position in positions)
    loaded = load_ahead(sources, prepare, ahead=lambda: 2 * sizer.size)
    start = 0
    while start < len(positions):
        started = time.perf_counter()  # waiting for images counts
        places = positions[start : start + sizer.size]
        batch = [plan.samples[position] for position in places]
        images = list(islice(loaded, len(batch)))
        outcomes = _outcomes(plan, batch, images, sizer)
        elapsed = time.perf_counter() - started
        sizer.observe(len(batch), elapsed)
        seconds = elapsed / len(batch) if plan.backbone.timed else None
        yield [
            make_record(sample, image, plan.task(sample), outcome, seconds)
            for position, sample, image, outcome in zip(places, batch, images, outcomes, strict=True)
            if position not in known
        ]
        start += len(batch)


def _outcomes(plan: Plan, batch: Sequence[Sample], loaded: Sequence[Loaded], sizer: Sizer) -> list[Outcome]:
    """Return what became of each sample; one whose image cannot be used is not asked about."""
    usable = [i for i, item in enumerate(loaded) if item.error is None]
    outcomes = [Outcome() for _ in batch]
    asked = [(loaded[i].prepared, plan.task(batch[i])) for i in usable]
    for i, outcome in zip(usable, _asked(plan, asked, sizer), strict=True):
        outcomes[i] = outcome
    return outcomes


def _asked(plan: Plan, samples: Sequence[tuple[Any, Task]], sizer: Sizer) -> list[Outcome]:
    """Hold the conversations; where memory runs out and the sizer may choose, in halves."""
    if not samples:
        return []
    try:
        return converse(plan.backbone, plan.strategy, samples, plan.decode)
    except OutOfMemory:
        if not sizer.shrink(len(samples)):
            raise
    # Only now, the error is forgotten, is the memory free that it held.
    half = len(samples) // 2
    return [*_asked(plan, samples[:half], sizer), *_asked(plan, samples[half:], sizer)]
