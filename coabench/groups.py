"""Results by group: how well a run does on samples that share a value of an attribute, and how far groups differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.metrics import uar, war
from coabench.predicted import SUBJECT, Predicted
from coabench.statistics import SEED, Counts, percentile_interval, wilson_interval

MIN_GROUP = 20
"""Groups below this number of samples are counted and not scored."""

MOST_VALUES = 30
"""An attribute with more values than this is a measurement or a name, not a group."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Group:
    """The samples with one value of an attribute.

    Attributes:
        classes: how many classes have samples in it.
        uar: the mean recall of those, with a bootstrap interval; None where the group is too small to be scored.
        war: hits / samples, with Wilson's interval (a bootstrap's where subjects have several samples).
    """

    value: str
    n: int
    classes: int
    uar: float | None = None
    uar_interval: Interval | None = None
    war: float | None = None
    war_interval: Interval | None = None


@dataclass(frozen=True)
class Gap:
    """The largest difference in UAR between two groups, over the classes that both have.

    The interval is a percentile interval of the difference of two bootstraps that are drawn independently. With more
    than two groups the largest of several differences was picked, which makes it look larger than it is.
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
    records: Sequence[Mapping[str, Any]], names: Sequence[str], min_group: int = MIN_GROUP
) -> tuple[list[Attribute], dict[str, str]]:
    """Return the results by each attribute, and which attributes make no groups, with the reason.

    Args:
        records: of a run, with ``attributes``.
        names: the labels.
        min_group: groups with fewer samples are counted only.
    """
    results, others = [], {}
    keys = dict.fromkeys(key for record in records for key in record.get("attributes") or {})
    for key in keys:
        values = [(record.get("attributes") or {}).get(key) for record in records]
        reason = _no_group(key, values)
        if reason:
            others[key] = reason
        else:
            results.append(_attribute(key, [_text(v) for v in values], records, names, min_group))
    return results, others


def _no_group(key: str, values: Sequence[Any]) -> str | None:
    if key == SUBJECT:
        return "who is shown"
    given = [v for v in values if v is not None]
    if not all(isinstance(v, str | int | float) for v in given):
        return "not a single value"
    distinct = len(set(map(_text, given)))
    return f"{distinct} different values" if distinct > MOST_VALUES else None if distinct else "no values"


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _attribute(
    name: str,
    values: Sequence[str | None],
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    min_group: int,
) -> Attribute:
    members: dict[str, list[Mapping[str, Any]]] = {}
    for value, record in zip(values, records, strict=True):
        if value is not None:
            members.setdefault(value, []).append(record)
    groups, scored = [], {}
    for number, value in enumerate(sorted(members, key=_natural)):
        if len(members[value]) < min_group:
            classes = len(Counter(record["target"] for record in members[value]))
            groups.append(Group(value, len(members[value]), classes))
        else:
            # A seed of its own for each group: with the same numbers the draws of two groups would move together.
            group, scored[value] = _score(value, Predicted.of(members[value], names), SEED + number)
            groups.append(group)
    return Attribute(name, tuple(groups), sum(value is None for value in values), _largest_gap(scored))


def _natural(value: str) -> list[Any]:
    """Sort "4–19" before "20–39"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", value)]


@dataclass(frozen=True)
class _Scored:
    confusion: Counts
    drawn: Counts

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.confusion.sum(axis=-1) > 0)


def _score(value: str, predicted: Predicted, seed: int) -> tuple[Group, _Scored]:
    confusion = predicted.confusion
    drawn, n = predicted.resampled(seed), len(predicted)
    wilson = wilson_interval(int(confusion.diagonal().sum()), n)
    group = Group(
        value,
        n,
        int((confusion.sum(axis=-1) > 0).sum()),
        float(uar(confusion)),
        percentile_interval(uar(drawn)),
        float(war(confusion)),
        wilson if predicted.clusters is None else percentile_interval(war(drawn)),
    )
    return group, _Scored(confusion, drawn)


def _largest_gap(scored: Mapping[str, _Scored]) -> Gap | None:
    """Return the largest difference of two groups, the first of equal ones; None where no two share a class."""
    best: tuple[float, str, str, npt.NDArray[np.bool_]] | None = None
    for a, b in combinations(scored, 2):
        shared = scored[a].present & scored[b].present
        if shared.any():
            difference = float(_over(scored[a].confusion, shared) - _over(scored[b].confusion, shared))
            higher, lower = (a, b) if difference >= 0 else (b, a)
            if best is None or abs(difference) > best[0]:
                best = (abs(difference), higher, lower, shared)
    if best is None:
        return None
    difference, higher, lower, shared = best
    replicates = _over(scored[higher].drawn, shared) - _over(scored[lower].drawn, shared)
    return Gap(higher, lower, difference, percentile_interval(replicates), int(shared.sum()))


def _over(confusion: Counts, classes: npt.NDArray[np.bool_]) -> Any:
    """Return the UAR over some classes only."""
    return uar(confusion * classes[:, None])
