"""How good the model in training is: UAR on the development part, through the same engine as `coabench evaluate`."""

from __future__ import annotations

from collections.abc import Sequence

from coabench.base.processes import Meeting
from coabench.dataset import Sample
from coabench.inference.engine import converse
from coabench.registry.parsers import find_parser
from coabench.strategy import Strategy
from coabench.training.data import Source
from coabench.training.plan import Plan

BATCH = 16
"""Samples that go through the model at a time."""


def development_scores(plan: Plan) -> dict[str, float]:
    """Evaluate the model as it is, decoding freely: UAR per strategy and data set, and their mean as ``uar``.

    Each process evaluates its share of the samples; all of them get the whole result.
    """
    from coabench.metrics.figures import confusion_matrix, encode, uar

    scores: dict[str, float] = {}
    invalid = asked = 0
    for strategy in plan.strategies:
        for source in plan.sources:
            if not source.dev:
                continue
            own = source.dev[plan.world.rank :: plan.world.size]
            parts = Meeting(plan.world).gather(_predictions(plan, strategy, source, own))
            answered = [item for part in parts for item in part]
            asked += len(answered)
            invalid += sum(prediction is None for _, prediction in answered)
            names = source.space.names
            targets, predictions = (encode(labels, names) for labels in zip(*answered, strict=True))
            confusion = confusion_matrix(targets, predictions, len(names))
            name = f"uar {source.dataset.card.name}" + (f" {strategy.name}" if len(plan.strategies) > 1 else "")
            scores[name] = float(uar(confusion))
    return {"uar": sum(scores.values()) / len(scores), "invalid": invalid / asked, **scores}


def _predictions(
    plan: Plan, strategy: Strategy, source: Source, samples: Sequence[Sample]
) -> list[tuple[str, str | None]]:
    parser = find_parser(strategy.parser)
    items = source.items(strategy, samples, False, plan.schedule.seed)
    answered: list[tuple[str, str | None]] = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        asked = [(plan.backbone.prepare(item.images()), item.task) for item in batch]
        for item, outcome in zip(batch, converse(plan.backbone, strategy, asked, parser=parser), strict=True):
            answered.append((item.sample.target, outcome.prediction.label if outcome.prediction else None))
    return answered
