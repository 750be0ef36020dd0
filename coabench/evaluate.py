"""The evaluate job: a strategy, a backbone and a data set make a run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench import environment
from coabench.adapters import Told
from coabench.backbone import Backbone
from coabench.catalog import find_dataset
from coabench.dataset import Dataset, Sample
from coabench.defaults import BATCH_SIZE, DECODE, DEVICE, DTYPE, SEED
from coabench.dialogue import Decode, Task
from coabench.engine import Outcome, converse
from coabench.errors import CoabenchError, JobError, UserError
from coabench.exemplars import ExemplarPool, draw_pool
from coabench.finishing import FinishedRun, Progress, Silence, finish, tell
from coabench.jobfolder import folder_name
from coabench.loading import Loaded, load_ahead
from coabench.records import make_record
from coabench.respondent import Respondent
from coabench.runs import Run, read_records
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
    batch_size: int = BATCH_SIZE
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
        return Task(self.dataset.card.space, self.pool.told(sample.id))


def evaluate(request: Evaluation, progress: Progress | None = None) -> FinishedRun:
    """Evaluate, or go on with the evaluation that is in the output directory.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe.
    """
    progress = progress or Silence()
    plan, manifest = check(request)
    name = manifest.pop("name")
    directory = request.output or Path("results") / name
    with Run(directory, manifest, [s.id for s in plan.samples], overwrite=request.overwrite) as run:
        for note in manifest["notes"]:
            progress.note(note)
        if run.complete:
            progress.note(f"{directory} is already complete: nothing to do")
        else:
            _fill(run, plan, request, progress)
        return finish(run, progress)


def check(request: Evaluation) -> tuple[Plan, dict[str, Any]]:
    """Check the whole request, cheapest first, and return the plan and the manifest to open the run with."""
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
    questions = respondent.rehearse(Task(space, pool.told(samples[0].id)))
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


def _fill(run: Run, plan: Plan, request: Evaluation, progress: Progress) -> None:
    """Write the records that are missing."""
    size = request.batch_size
    try:
        there = list(read_records(run.directory)) if run.done else []
        with progress.start(len(plan.samples), there):
            progress.note("loading the backbone")
            plan.backbone.remember(run.pending)
            plan.backbone.load()
            details = dict(plan.backbone.details())
            for note in details.get("notes", ()):
                if note not in run.manifest["notes"]:  # what only the weights could tell
                    progress.note(note)
                    run.manifest["notes"].append(note)
            session = {"command": list(request.command), "batch_size": size, "device": details.get("device")}
            run.start({**session, "backbone": details, "environment": environment.describe()})
            tell(progress, "coabench_run_started", run=run)
            for records in batches(plan, run.done, size):
                run.append(records)
                progress.advance(records)
                for record in records:
                    tell(progress, "coabench_sample_predicted", run=run, record=record)
    except (CoabenchError, KeyboardInterrupt) as error:
        if isinstance(error, JobError):
            run.fail(str(error))
        raise
    except Exception as error:
        run.fail(f"{type(error).__name__}: {error}")
        raise


def batches(plan: Plan, done: int, size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the missing records batch by batch; the backbone is loaded.

    A batch of which a part is done is computed whole and its rest is yielded, so that a resumed run does the same
    arithmetic as one that was never stopped.
    """
    first = done - done % size
    samples = plan.samples[first:]

    def prepare(position: int, image: Image) -> Any:
        sample = samples[position].id
        return plan.backbone.prepare([*plan.pool.images(sample), image], sample)

    loaded = load_ahead((s.image for s in samples), prepare, ahead=2 * size)
    for start in range(0, len(samples), size):
        started = time.perf_counter()  # waiting for images counts
        batch = samples[start : start + size]
        yield _records(plan, batch, list(islice(loaded, len(batch))), started)[max(0, done - first - start) :]


def _records(plan: Plan, batch: Sequence[Sample], loaded: Sequence[Loaded], started: float) -> list[dict[str, Any]]:
    tasks = [plan.task(sample) for sample in batch]
    usable = [i for i, item in enumerate(loaded) if item.error is None]
    outcomes = dict.fromkeys(range(len(batch)), Outcome())
    if usable:
        asked = [(loaded[i].prepared, tasks[i]) for i in usable]
        outcomes.update(zip(usable, converse(plan.backbone, plan.strategy, asked, plan.decode), strict=True))
    seconds = (time.perf_counter() - started) / len(batch) if plan.backbone.timed else None
    return [
        make_record(sample, item, tasks[i], outcomes[i], seconds)
        for i, (sample, item) in enumerate(zip(batch, loaded, strict=True))
    ]
