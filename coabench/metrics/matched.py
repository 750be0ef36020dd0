"""Matched stimuli: pictures that differ in one attribute alone, so that a difference of answers comes from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from coabench.metrics.statistics import Difference, holm, paired_difference, sign_flip

MOST_VALUES = 4
"""An attribute with more values than this is a scale, which has a curve."""


@dataclass(frozen=True)
class Answered:
    """The answers to one stimulus: the person, and for each value of the attribute whether the answer is right."""

    person: str
    right: dict[str, bool]


@dataclass(frozen=True)
class Contrast:
    """Two values of an attribute.

    Attributes:
        only_first, only_second: the discordant pairs: stimuli that are right with the one value alone.
        difference: of the accuracy with *first* minus that with *second*, with interval and p-value.
        exact: the p-value of the exact test: McNemar's where no person is in two stimuli, else that of flipped signs
            over persons.
        p: that of *difference*, which never contradicts its interval and is at least the exact one, adjusted for the
            number of contrasts of the attribute (Holm).
    """

    first: str
    second: str
    only_first: int
    only_second: int
    difference: Difference
    exact: float
    p: float


@dataclass(frozen=True)
class Matched:
    """One attribute: how many complete stimuli there are, the accuracy with each of its values, and the contrasts."""

    attribute: str
    stimuli: int
    accuracy: Mapping[str, float]
    contrasts: tuple[Contrast, ...]


def matched(attribute: str, answers: Mapping[str, Answered]) -> Matched | None:
    """Compare the values of an attribute over the stimuli that have an answer for each of them.

    Returns None where no stimulus has, or where there are fewer than two values or more than `MOST_VALUES`.

    Args:
        answers: stimulus -> its answers.
    """
    values = list(dict.fromkeys(value for answer in answers.values() for value in answer.right))
    whole = [answer for answer in answers.values() if len(answer.right) == len(values)]
    if not whole or not 2 <= len(values) <= MOST_VALUES:
        return None
    right = {value: np.array([answer.right[value] for answer in whole], np.float64) for value in values}
    persons = np.unique([answer.person for answer in whole], return_inverse=True)[1]
    found = []
    for first, second in combinations(values, 2):
        a, b = right[first], right[second]
        one, other = (np.bincount(persons, weights=each / len(whole)).astype(np.float64) for each in (a, b))
        difference = paired_difference(one, other, [len(whole)])
        discordant = int((a > b).sum()), int((b > a).sum())
        found.append((first, second, *discordant, difference, sign_flip(one, other)))
    adjusted = holm([each[-2].p for each in found])
    contrasts = tuple(Contrast(*each, float(p)) for each, p in zip(found, adjusted, strict=True))
    return Matched(attribute, len(whole), {value: float(right[value].mean()) for value in values}, contrasts)
