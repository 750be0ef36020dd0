"""The records that runs lack, batch by batch: images are looked at once, for all runs that ask about the same ones."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from coabench.backbone import Backbone, Viewing
from coabench.errors import OutOfMemory
from coabench.evaluation.plan import Plan
from coabench.inference.batching import Sizer
from coabench.inference.engine import Outcome, hold_dialogues
from coabench.inference.loading import Loaded, load_ahead
from coabench.inference.self_consistency import hold_and_vote
from coabench.runs.record import make_record
from coabench.runs.run import Batch

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class _Answered:
    """What became of one batch in one run.

    Attributes:
        seconds: that the dialogues took.
    """

    outcomes: list[Outcome]
    seconds: float = 0.0


def records_of(plan: Plan, missing: Sequence[Batch], sizer: Sizer) -> Iterator[list[dict[str, Any]]]:
    """Yield the missing records, a batch of the sizer's choice at a time; the backbone is loaded."""
    for (records,) in shared_records([plan], [missing], plan.backbone, sizer):
        yield records


def shared_records(
    plans: Sequence[Plan], missing: Sequence[Sequence[Batch]], backbone: Backbone[Any], sizer: Sizer
) -> Iterator[list[list[dict[str, Any]]]]:
    """Yield what is missing of several runs, a batch of the sizer's choice at a time: the new records of each run.

    The images of a batch are loaded and looked at once. Then the dialogues of each run that lacks one of its records
    are held, as if the run was alone.

    Args:
        plans: of runs that differ in nothing but how questions are rewritten.
        missing: of each run.
        backbone: theirs, loaded.
    """
    lead = plans[0]
    lacking = [{position: position in batch.known for batch in own for position in batch.positions} for own in missing]
    positions = array("q", sorted({position for own in lacking for position in own}))

    def prepare(index: int, image: Image) -> Any:
        sample = lead.samples[positions[index]].id
        return backbone.prepare([*lead.pool.images(sample), image], sample)

    sources = (lead.samples[position].image for position in positions)
    loaded = load_ahead(sources, prepare, ahead=lambda: 2 * sizer.size)
    start = 0
    while start < len(positions):
        started = time.perf_counter()  # waiting for images counts
        chosen = positions[start : start + sizer.size]
        images = list(islice(loaded, len(chosen)))
        asking = [any(own.get(position) is False for position in chosen) for own in lacking]
        answered = _answered(
            backbone, [plan for plan, asks in zip(plans, asking, strict=True) if asks], chosen, images, sizer
        )
        elapsed = time.perf_counter() - started
        sizer.observe(len(chosen), elapsed)
        looking = (elapsed - sum(one.seconds for one in answered)) / max(1, len(answered))  # each run bears its share
        ended = iter(answered)
        yield [
            _records(plan, own, chosen, images, next(ended), looking) if asks else []
            for plan, own, asks in zip(plans, lacking, asking, strict=True)
        ]
        start += len(chosen)


def _records(
    plan: Plan,
    lacking: dict[int, bool],
    chosen: Sequence[int],
    images: Sequence[Loaded],
    answered: _Answered,
    looking: float,
) -> list[dict[str, Any]]:
    """Return the records of a batch that a run lacks."""
    seconds = (looking + answered.seconds) / len(chosen) if plan.backbone.timed else None
    return [
        make_record(sample, image, plan.task(sample), outcome, seconds)
        for position, image, outcome in zip(chosen, images, answered.outcomes, strict=True)
        for sample in [plan.samples[position]]
        if lacking.get(position) is False
    ]


def _answered(
    backbone: Backbone[Any], plans: Sequence[Plan], chosen: Sequence[int], images: Sequence[Loaded], sizer: Sizer
) -> list[_Answered]:
    """Return what each run makes of a batch; a sample whose image cannot be used gets an empty outcome."""
    usable = [i for i, image in enumerate(images) if image.error is None]
    held = _held(backbone, plans, [chosen[i] for i in usable], [images[i].prepared for i in usable], sizer)
    made = []
    for answered in held:
        outcomes = [Outcome() for _ in images]
        for i, outcome in zip(usable, answered.outcomes, strict=True):
            outcomes[i] = outcome
        made.append(_Answered(outcomes, answered.seconds))
    return made


def _held(
    backbone: Backbone[Any], plans: Sequence[Plan], positions: Sequence[int], prepared: Sequence[Any], sizer: Sizer
) -> list[_Answered]:
    """Look once and hold the dialogues of each run; where memory runs out and the sizer may choose, in halves."""
    if not (prepared and plans):
        return [_Answered([]) for _ in plans]
    try:
        return _look_and_ask(backbone, plans, positions, prepared)
    except OutOfMemory:
        if not sizer.shrink(len(prepared)):
            raise
    # Only now, the error is forgotten, is the memory free that it held.
    half = len(prepared) // 2
    first = _held(backbone, plans, positions[:half], prepared[:half], sizer)
    second = _held(backbone, plans, positions[half:], prepared[half:], sizer)
    return [
        _Answered([*one.outcomes, *two.outcomes], one.seconds + two.seconds)
        for one, two in zip(first, second, strict=True)
    ]


def _look_and_ask(
    backbone: Backbone[Any], plans: Sequence[Plan], positions: Sequence[int], prepared: Sequence[Any]
) -> list[_Answered]:
    viewing = backbone.look(prepared)
    answered = []
    for plan in plans:
        started = time.perf_counter()
        viewing.restart()
        outcomes = _dialogues(plan, viewing, positions)
        answered.append(_Answered(outcomes, time.perf_counter() - started))
    return answered


def _dialogues(plan: Plan, viewing: Viewing, positions: Sequence[int]) -> list[Outcome]:
    """Return what comes of the dialogues of one run about the samples of a viewing."""
    samples = [plan.samples[position] for position in positions]
    tasks = [plan.task(sample) for sample in samples]
    if plan.sampling is None:
        return hold_dialogues(viewing, plan.strategy, tasks, plan.decode, parser=plan.parser, rewrite=plan.rewrites)
    ids, seed = [sample.id for sample in samples], plan.identity.seed or 0
    return hold_and_vote(viewing, plan.strategy, tasks, ids, plan.sampling, seed, plan.parser, plan.rewrites)
