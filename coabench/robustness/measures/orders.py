"""Whether the answer depends on the order of the options: the worst of all orders, and which positions are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coabench.metrics.headline import UAR, Estimate
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts, Figures, means_without, share_mean_interval, student_interval


@dataclass(frozen=True)
class WorstCase:
    """What is left where a sample counts as right only if it is right under every order.

    Attributes:
        uar: so counted.
        change: that minus the UAR of the clean run, at most 0.
        orders: how many there are, the clean one among them.
    """

    uar: Estimate
    change: float
    orders: int


def worst_case(clean: Predicted, orders: Sequence[Predicted]) -> WorstCase:
    """Return the worst case over the clean run and some orders.

    Source: Y. Liu et al., "MMBench: Is your multi-modal model an all-around player?", ECCV 2024
    (arXiv 2307.06281), CircularEval; there over rotations and for accuracy, here over any orders and for the UAR.

    Args:
        orders: at least one, of the same samples in the same order.
    """
    always = np.logical_and.reduce([each.predictions == each.targets for each in (clean, *orders)])
    kept = replace(clean, predictions=np.where(always, clean.targets, clean.k))
    uar = UAR.measure(kept)[0]
    return WorstCase(uar, (uar.value or 0.0) - (UAR.value(clean) or 0.0), 1 + len(orders))


@dataclass(frozen=True)
class Position:
    """How often one position of the list is chosen.

    Attributes:
        number: from 1 on.
        chosen: of the answers to questions that have such a position, with the interval over samples or persons.
        expected: of answers that follow the labels alone: what is chosen of each sample over all orders, by how often
            it stands here.
        excess: *chosen* minus *expected*, with an interval; without one where no sample differs from another.
    """

    number: int
    chosen: Estimate
    expected: float
    excess: Estimate


@dataclass(frozen=True)
class Asked:
    """A question about a sample in one order: the options, and the one that was answered."""

    options: tuple[str, ...]
    answer: str


def questions(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Asked]]:
    """Return what was asked that has options and an answer among them: name of the question -> id of the sample.

    Of a question that is asked several times of a sample, the first counts.
    """
    asked: dict[str, dict[str, Asked]] = {}
    for record in records:
        for turn in record["turns"]:
            if turn["label"] in turn["options"]:
                of = asked.setdefault(str(turn["name"]), {})
                of.setdefault(str(record["id"]), Asked(tuple(turn["options"]), str(turn["label"])))
    return asked


def positions(orders: Sequence[Mapping[str, Asked]], ids: Sequence[str], clusters: Counts | None) -> list[Position]:
    """Return how often each position is chosen, over all orders.

    Whoever answers by the label alone chooses each position as often as his labels stand there: of a sample that was
    answered with the label l in the share q(l) of the orders, position p is expected in the mean over the orders of
    q(the label at p). What is chosen beyond that is due to the position. Over all rotations of n options every label
    stands everywhere equally often, so that 1/n is expected, whatever the labels.

    Args:
        orders: of each order, the clean one among them, one question about the samples, as `questions` returns it.
        ids: of the samples, in the order of *clusters*.
        clusters: the person on each, shape (n,); None where samples are independent.
    """
    places = max((len(asked.options) for order in orders for asked in order.values()), default=0)
    rows = [[order[id] for order in orders if id in order] for id in ids]
    answered = np.array([i for i, asked in enumerate(rows) if asked], dtype=np.int64)
    if not places or not len(answered):
        return []
    persons = None if clusters is None else np.unique(clusters[answered], return_inverse=True)[1].astype(np.int64)
    chosen, expected = (np.array(each) for each in zip(*(_shares(rows[i], places) for i in answered), strict=True))
    return [_position(p, chosen[:, p], expected[:, p], persons) for p in range(places)]


def _shares(asked: Sequence[Asked], places: int) -> tuple[Figures, Figures]:
    """Return the share of a sample's answers at each position, and the share that labels alone would give it."""
    chosen, expected = np.zeros(places), np.zeros(places)
    labels = Counter(each.answer for each in asked)
    for each in asked:
        chosen[each.options.index(each.answer)] += 1
        total = sum(labels[option] for option in each.options)
        for place, option in enumerate(each.options):
            expected[place] += labels[option] / total
    return chosen / len(asked), expected / len(asked)


def _position(place: int, chosen: Figures, expected: Figures, persons: Counts | None) -> Position:
    excess = chosen - expected
    mean = float(excess.mean())
    interval = student_interval(mean, means_without(excess, persons))
    return Position(
        place + 1,
        Estimate(float(chosen.mean()), *share_mean_interval(chosen, persons)),
        float(expected.mean()),
        Estimate(mean, *(interval or ())),
    )
