"""Results by group: how well a run does on samples that share a value of an attribute, and how far groups differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from coabench.metrics.attribute_columns import AttributeColumns, Column
from coabench.metrics.headline import UAR, WAR, Estimate
from coabench.metrics.predictions import Predicted, Reading
from coabench.metrics.statistics import LEVEL, Interval, difference_interval

MIN_GROUP = 20
"""Groups below this number of samples are counted and not scored."""


@dataclass(frozen=True)
class Group:
    """The samples with one value of an attribute.

    Attributes:
        classes: how many classes have samples in it.
        uar, war: over those, with their intervals; None where the group is too small to be scored.
    """

    value: str
    n: int
    classes: int
    uar: Estimate | None = None
    war: Estimate | None = None


@dataclass(frozen=True)
class Gap:
    """The largest difference in UAR between two groups, over the classes that both have.

    The interval is Newcombe's, of two intervals of the UAR. The largest of several differences was picked, which makes
    it look larger than it is: so with more than two groups the level is raised, Bonferroni's 1 − 0.05/pairs.
    """

    higher: str
    lower: str
    difference: float
    interval: Interval
    classes: int


@dataclass(frozen=True)
class Attribute:
    """An attribute and its groups; *gap* is None where fewer than two groups can be compared."""

    name: str
    groups: tuple[Group, ...]
    without: int
    gap: Gap | None


def by_attribute(
    records: Iterable[Mapping[str, Any]], names: Sequence[str], min_group: int = MIN_GROUP
) -> tuple[list[Attribute], dict[str, str]]:
    """Return the results by each attribute, and which attributes make no groups, with the reason.

    Args:
        records: of a run, with ``attributes``.
        names: the labels.
        min_group: groups with fewer samples are counted only.
    """
    groups = Groups(names)
    for record in records:
        groups.add(record)
    return groups.results(min_group)


class Groups:
    """`by_attribute` in the making: a few bytes are kept of each record.

    Attributes:
        reading: what the records predicted.
        columns: their attributes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.reading, self.columns = Reading(names), AttributeColumns()

    def add(self, record: Mapping[str, Any]) -> None:
        """Read a record; `UserError` where its labels are not among the names."""
        self.columns.add(record.get("attributes") or {})
        self.reading.add(record)

    def results(self, min_group: int = MIN_GROUP) -> tuple[list[Attribute], dict[str, str]]:
        """Return what `by_attribute` does."""
        results, others = [], {}
        predicted = self.reading.predicted(Predicted) if self.columns else None
        for key, column in self.columns.items():
            reason = self.columns.no_group(key)
            if reason:
                others[key] = reason
            elif predicted is not None:
                results.append(_attribute(key, column, predicted, min_group))
        return results, others


def _attribute(name: str, column: Column, predicted: Predicted, min_group: int) -> Attribute:
    groups, scored = [], {}
    for value, positions in column.members().items():
        members = predicted.part(positions)
        if len(members) < min_group:
            groups.append(Group(value, len(members), len(np.unique(members.targets))))
        else:
            groups.append(_score(value, members))
            scored[value] = members
    return Attribute(name, tuple(groups), int((np.array(column.codes) < 0).sum()), _largest_gap(scored))


def _score(value: str, members: Predicted) -> Group:
    classes = len(np.unique(members.targets))
    return Group(value, len(members), classes, *(figure.measure(members)[0] for figure in (UAR, WAR)))


def _largest_gap(scored: Mapping[str, Predicted]) -> Gap | None:
    """Return the largest difference of two groups, the first of equal ones; None where no two share a class."""
    best: Gap | None = None
    pairs = list(combinations(scored, 2))
    for a, b in pairs:
        gap = _gap(scored, a, b, 1 - (1 - LEVEL) / len(pairs))
        if gap is not None and (best is None or gap.difference > best.difference):
            best = gap
    return best


def _gap(scored: Mapping[str, Predicted], a: str, b: str, level: float) -> Gap | None:
    """Compare two groups over the classes that both have; None where there are none, or one has no interval."""
    shared = np.intersect1d(scored[a].targets, scored[b].targets)
    if not shared.size:
        return None
    found = {}
    for name in (a, b):
        members = scored[name].part(np.flatnonzero(np.isin(scored[name].targets, shared)))
        (value, low, high), _ = UAR.measure(members, level)
        if value is None or low is None or high is None:
            return None
        found[name] = value, (low, high)
    higher, lower = (a, b) if found[a][0] >= found[b][0] else (b, a)
    difference = found[higher][0] - found[lower][0]
    return Gap(higher, lower, difference, difference_interval(found[higher], found[lower]), len(shared))
