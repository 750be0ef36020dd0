"""How good the model in training is: UAR on the development part, through the same engine as `coabench evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coabench.backbone import Backbone
from coabench.base.processes import Meeting, World
from coabench.base.vocabulary import OK, SUBJECT
from coabench.dataset import Sample
from coabench.inference.engine import converse
from coabench.metrics.headline import UAR, Estimate
from coabench.metrics.predictions import Predicted, Reading
from coabench.metrics.statistics import mean_of_independent
from coabench.registry.parsers import find_parser
from coabench.strategy import Strategy
from coabench.training.data import Source

BATCH = 16
"""Samples that go through the model at a time."""


@dataclass(frozen=True)
class Development:
    """What is measured, and about what.

    Attributes:
        sources: their development parts are answered; exemplars come from what they fit.
        seed: draws exemplars.
    """

    sources: Sequence[Source]
    strategies: Sequence[Strategy]
    backbone: Backbone[Any]
    world: World
    seed: int


def development_scores(of: Development) -> dict[str, float]:
    """Evaluate the model as it is, decoding freely: UAR per strategy and data set, and their mean as ``uar``.

    The ends of the 95 % interval stand under the same name after ``low`` and ``high``, unless there is none. Data sets
    are taken for independent; of several strategies about the same images the ends are averaged, as if they were wrong
    together. Each process evaluates its share of the samples; all of them get the whole result.
    """
    scores: dict[str, float] = {}
    of_data: list[list[Estimate]] = []
    invalid = asked = 0
    for source in (source for source in of.sources if source.dev):
        of_data.append([])
        for strategy in of.strategies:
            own = source.dev[of.world.rank :: of.world.size]
            parts = Meeting(of.world).gather(_predictions(of, strategy, source, own))
            answered = Reading(source.space.names)
            for record in (record for part in parts for record in part):
                answered.add(record)
                invalid += record["prediction"] is None
            asked += len(answered)
            estimate, _ = UAR.measure(answered.predicted(Predicted))
            of_data[-1].append(estimate)
            name = f"uar {source.dataset.card.name}" + (f" {strategy.name}" if len(of.strategies) > 1 else "")
            scores |= _named(name, estimate)
    return {**_named("uar", _mean(of_data)), "invalid": invalid / asked, **scores}


def _mean(of_data: Sequence[Sequence[Estimate]]) -> Estimate:
    """Return the mean over data sets of the estimates of strategies."""
    each = [_average([estimate.value for estimate in own]) for own in of_data]
    bounds = [
        (_average([estimate.low for estimate in own]), _average([estimate.high for estimate in own]))
        for own in of_data
        if all(estimate.low is not None for estimate in own)
    ]
    if len(bounds) < len(each):
        return Estimate(_average(each))
    low, high = mean_of_independent(list(zip(each, bounds, strict=True)))
    return Estimate(_average(each), max(0.0, low), min(1.0, high))


def _average(values: Sequence[float | None]) -> float:
    return sum(value for value in values if value is not None) / len(values)


def _named(name: str, estimate: Estimate) -> dict[str, float]:
    named = {name: estimate.value, f"low {name}": estimate.low, f"high {name}": estimate.high}
    return {key: value for key, value in named.items() if value is not None}


def _predictions(
    of: Development, strategy: Strategy, source: Source, samples: Sequence[Sample]
) -> list[dict[str, Any]]:
    """Return what `Reading` needs of each sample."""
    parser = find_parser(strategy.parser)
    items = source.items(strategy, samples, False, of.seed)
    answered: list[dict[str, Any]] = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        asked = [(of.backbone.prepare(item.images()), item.task) for item in batch]
        for item, outcome in zip(batch, converse(of.backbone, strategy, asked, parser=parser), strict=True):
            label = outcome.prediction.label if outcome.prediction else None
            person = {SUBJECT: item.sample.attributes.get(SUBJECT)}
            answered.append({"target": item.sample.target, "prediction": label, "status": OK, "attributes": person})
    return answered
