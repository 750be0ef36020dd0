"""Results by group: how well a run does on samples that share a value of an attribute, and how far groups differ."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.base.vocabulary import SUBJECT
from coabench.metrics.headline import UAR, WAR, Estimate
from coabench.metrics.predictions import Predicted, Reading
from coabench.metrics.statistics import LEVEL, Interval, difference_interval

MIN_GROUP = 20
"""Groups below this number of samples are counted and not scored."""

MOST_VALUES = 30
"""An attribute with more values than this is a measurement or a name, not a group."""


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


class AttributeColumns(dict[str, "Column"]):
    """The values of each attribute of samples, read in order: a few bytes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[tuple[str, ...], int] = {}
        self.kind = array("i")
        """Which attributes each sample has, as their number in *kinds*."""

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Read the attributes of the next sample."""
        for key in attributes:
            if key not in self:
                self[key] = Column(len(self.kind))
        for key, column in self.items():
            column.add(attributes.get(key))
        self.kind.append(self.kinds.setdefault(tuple(attributes), len(self.kinds)))

    def no_group(self, key: str) -> str | None:
        """Say why an attribute makes no groups; None where it does."""
        return "who is shown" if key == SUBJECT else self[key].no_group()

    def members(self) -> dict[str, dict[str, npt.NDArray[np.int64]]]:
        """Return the positions of the samples with each value of each attribute that makes groups."""
        return {key: column.members() for key, column in self.items() if self.no_group(key) is None}

    def with_those_of(self, other: AttributeColumns, order: npt.NDArray[np.int64]) -> AttributeColumns:
        """Return the attributes of these samples, with what only *other* has of them.

        Args:
            order: which sample of *other* each of these is, shape (n,).
        """
        own, others = np.array(self.kind), np.array(other.kind)[order]
        of_own, of_others = list(self.kinds), list(other.kinds)
        pairs, first = np.unique(own.astype(np.int64) * len(of_others) + others, return_index=True)
        both = [divmod(int(pair), len(of_others)) for pair in pairs[np.argsort(first)]]
        names = dict.fromkeys(name for i, j in both for name in (*of_others[j], *of_own[i]))
        made = AttributeColumns()
        for name in names:
            has, had = (np.isin(at, [i for i, kind in enumerate(kinds) if name in kind])
                        for at, kinds in ((own, of_own), (others, of_others)))  # fmt: skip
            made[name] = _joined(self.get(name), has, other.get(name), had, order)
        return made


def _joined(
    own: Column | None, has: npt.NDArray[np.bool_], other: Column | None, had: npt.NDArray[np.bool_],
    order: npt.NDArray[np.int64],
) -> Column:  # fmt: skip
    """Return the values of *own* where a sample has one, which may be None, else those of *other*."""
    if own is not None and (other is None or not (had & ~has).any()):
        return own
    assert other is not None
    if own is None:
        return other.ordered(order)
    return own.filled(np.flatnonzero(had & ~has), other.ordered(order))


class Column:
    """The values of an attribute: a byte a record, or 8 once they are too many to make groups."""

    def __init__(self, missing: int = 0) -> None:
        self.codes = array("b", [-1]) * missing
        self.values: dict[str, int] = {}
        self._many = array("q")  # the hash of each value
        self._single = True

    def add(self, value: Any) -> None:
        if value is not None and not isinstance(value, str | int | float):
            self._single = False
        if value is None or not self._single:
            self.codes.append(-1)
            return
        text = _text(value)
        if self._many:
            self._many.append(hash(text))
            return
        self.codes.append(self.values.setdefault(text, len(self.values)))
        if len(self.values) > MOST_VALUES:
            self._many = array("q", map(hash, self.values))

    def ordered(self, order: npt.NDArray[np.int64]) -> Column:
        """Return the values of the samples at these positions, of which there are as many."""
        made = copy(self)
        if self._single and not self._many:
            made.codes = array("b", np.array(self.codes)[order].tobytes())
        return made

    def filled(self, positions: npt.NDArray[np.int64], other: Column) -> Column:
        """Return these values, with those of *other* at some positions."""
        if not self._single or self._many:
            return self
        if not other._single or other._many:
            return other
        made, codes = Column(), np.array(self.codes)
        filling, names = np.array(other.codes)[positions], list(other.values)
        made.values = dict(self.values)
        translated = np.full(len(names) + 1, -1, dtype=np.int8)  # the last one for none
        for code in np.unique(filling[filling >= 0]).tolist():
            translated[code] = made.values.setdefault(names[code], len(made.values))
        codes[positions] = translated[filling]
        made.codes = array("b", codes.tobytes())
        if len(made.values) > MOST_VALUES:
            made._many = array("q", map(hash, made.values))
        return made

    def members(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the positions of the samples with each value, "4–19" before "20–39"."""
        codes = np.array(self.codes)
        return {value: np.flatnonzero(codes == self.values[value]) for value in sorted(self.values, key=_natural)}

    def no_group(self) -> str | None:
        """Say why these values make no groups; None where they do."""
        if not self._single:
            return "not a single value"
        if self._many:
            return f"{len(np.unique(np.array(self._many)))} different values"
        return None if self.values else "no values"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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


def _natural(value: str) -> list[Any]:
    """Sort "4–19" before "20–39"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", value)]


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
