"""How probable a run holds each label of a sample, and the proper scores of that: Brier's, and the log loss.

Sources: G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950,
pp. 1–3; I. J. Good, "Rational decisions", Journal of the Royal Statistical Society B 14, 1952, pp. 107–114 (the
logarithmic score).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coabench.metrics.statistics import Figures, Interval, means_without, student_interval
from coabench.metrics.statistics.resampling import Counts

REST = 1e-4
"""A probability of no label above this is an outcome of its own; one below comes of rounding."""

Distribution = Mapping[str | None, float]
"""Outcome -> its natural-log probability; together they have the probability 1. None stands for "no label"."""


def distribution_of(record: Mapping[str, Any], names: Sequence[str]) -> Distribution | None:
    """Return how probable the run held each label of a sample; None where that is not known.

    It is known in two cases. A strategy states it in its details, ``log_probabilities``: label -> natural logarithm.
    What is missing to 1 is the probability of no label. Or there are no details and a single question, scored, whose
    options have all labels among them and whose answer is the prediction: then it is the options' probabilities, made
    to sum to 1. Of a chain of questions it is not known: the second question was asked after one first answer only.

    Args:
        names: the labels.
    """
    if details := record.get("details"):
        return _stated(details.get("log_probabilities"), names)
    turns = record["turns"]
    if len(turns) != 1 or record["prediction"] not in (None, turns[0]["label"]):
        return None
    scores = turns[0].get("scores")
    if not scores or turns[0]["label"] not in scores or not set(names) <= set(scores):
        return None
    return normalised(scores)


def normalised(scores: Mapping[str, float] | Distribution) -> Distribution:
    """Return natural-log scores shifted so that their probabilities sum to 1."""
    most = max(scores.values())
    total = most + math.log(math.fsum(math.exp(score - most) for score in scores.values()))
    return {option: score - total for option, score in scores.items()}


def _stated(stated: object, names: Sequence[str]) -> Distribution | None:
    if not isinstance(stated, Mapping) or not set(names) <= set(stated):
        return None
    values = list(stated.values())
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and v <= REST for v in values):
        return None
    rest = 1 - math.fsum(map(math.exp, values))
    if rest < -REST or rest > 1 - REST:
        return None
    return normalised({**stated, None: math.log(rest)} if rest > REST else stated)


@dataclass(frozen=True)
class ProperScores:
    """The mean scores over the samples whose distribution is known; the lower, the better.

    Attributes:
        n: how many.
        brier: Σ_k (p_k − y_k)² over all outcomes k, with y_k 1 for the true label and else 0: within 0…2.
        nll: −ln p of the true label, in nats; None where it is infinite.
        impossible: of how many samples the true label has probability 0, which makes the mean infinite.
        brier_interval, nll_interval: None where it is not known: one sample or person, or all values the same.
    """

    n: int
    brier: float
    brier_interval: Interval | None
    nll: float | None
    nll_interval: Interval | None
    impossible: int


def brier_score(distribution: Distribution, target: str) -> float:
    """Return Brier's score of a sample."""
    return math.fsum((math.exp(log_p) - (outcome == target)) ** 2 for outcome, log_p in distribution.items())


def proper_scores(brier: Figures, nll: Figures, clusters: Counts | None = None) -> ProperScores | None:
    """Return the scores of samples, each by sample, shape (n,); None where there are none.

    Args:
        nll: infinite where the true label has probability 0.
        clusters: the person in each image, shape (n,); None where samples are independent.
    """
    if not len(brier):
        return None
    impossible = int(np.isinf(nll).sum())
    mean, interval = (None, None) if impossible else (float(nll.mean()), mean_value_interval(nll, clusters))
    return ProperScores(
        len(brier), float(brier.mean()), mean_value_interval(brier, clusters, 2.0), mean, interval, impossible
    )


def mean_value_interval(values: Figures, clusters: Counts | None, most: float = math.inf) -> Interval | None:
    """Return the 95 % interval of the mean of values within 0…*most*; None where nothing is known of their spread.

    Student's t interval, mean ± t·s/√n with n − 1 degrees of freedom; over m persons s²/n is the jackknife's variance
    over them, with m − 1. As a mean of skewed values it needs samples: the coverage measured is in
    docs/explanation/calibration.md.
    """
    found = student_interval(float(values.mean()), means_without(values, clusters))
    return found and (max(0.0, found[0]), min(most, found[1]))
