"""Calibration: confidence against accuracy, for runs that have scores.

Pure functions. Sources: M. Pakdaman Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities
using Bayesian binning", AAAI 2015 (the expected calibration error); C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On
calibration of modern neural networks", ICML 2017 (reliability diagrams, bins of equal width).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics import Binned, Interval, calibration_error, wilson_interval

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies within (left, right], the first bin with 0: at least one.

    Attributes:
        confidence: their mean confidence.
        accuracy: the part of them that is right, with Wilson's 95 % interval.
    """

    left: float
    right: float
    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """Of n predictions: the bins that are not empty, the expected calibration error, the means.

    Attributes:
        interval: the 95 % interval of the error; None where all samples show one person.
        chance: the error that a perfectly calibrated model with these confidences would show on average.
        chance_high: and the one that it would stay below in 97.5 % of test sets.
        subjects: how many persons are shown; None where samples are independent.
    """

    n: int
    bins: tuple[Bin, ...]
    ece: float
    interval: Interval | None
    chance: float
    chance_high: float
    confidence: float
    accuracy: float
    subjects: int | None = None


def confidence(turns: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the model's confidence in its answers, or None where a turn has no scores for its answer.

    The product over the turns of the chosen option's probability, the options' probabilities made to sum to 1. Of a
    chain this is the probability of the answers in their order; that of the label may be higher,
    since the same pair can be reached the other way round.

    Args:
        turns: of a record, each with ``label`` and ``scores`` (option -> natural-log probability).
    """
    product = 1.0
    for turn in turns:
        scores = turn.get("scores") or {}
        if turn["label"] not in scores:
            return None
        product *= probabilities(scores)[turn["label"]]
    return product if turns else None


def probabilities(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the options' probabilities, made to sum to 1, of their natural-log probabilities."""
    most = max(scores.values())
    weights = {option: math.exp(score - most) for option, score in scores.items()}
    total = sum(weights.values())
    return {option: weight / total for option, weight in weights.items()}


def confidence_of(record: Mapping[str, Any]) -> float | None:
    """Return a strategy's confidence: from ``details`` where it adds some, else the `confidence` of its turns.

    A strategy that adds details does not just follow its answers; its confidence is unknown where they do not hold it.
    """
    details = record.get("details")
    return details.get("confidence") if details else confidence(record["turns"])


def calibrate(
    confidences: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS, clusters: npt.NDArray[np.int64] | None = None
) -> Calibration:
    """Compare confidence with accuracy in bins of equal width.

    The expected calibration error is the mean of |accuracy − confidence| over the bins, weighted by how many
    predictions are in each: Σ n_b/N · |acc_b − conf_b|.

    Args:
        confidences: within 0…1, shape (n,).
        right: whether each prediction is right, shape (n,).
        bins: how many.
        clusters: the person in each image, shape (n,), from 0 on; None where samples are independent.

    Raises:
        ValueError: there are no predictions, the shapes differ, or a confidence is no probability.
    """
    confident, hit = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=bool)
    if confident.ndim != 1 or confident.shape != hit.shape or not confident.size:
        raise ValueError(f"confidences {confident.shape} and hits {hit.shape} must be vectors of one length, not empty")
    if not (confident.min() >= 0 and confident.max() <= 1):
        raise ValueError("a confidence is no probability")
    edges = np.arange(bins + 1) / bins
    position = np.maximum(np.searchsorted(edges, confident, side="left") - 1, 0)
    used, place = np.unique(position, return_inverse=True)
    binned = Binned(place, confident, hit.astype(np.float64), clusters)
    sizes, hits = np.bincount(place), np.bincount(place, weights=hit)
    means = binned.sums(confident) / sizes
    filled = [
        Bin(float(edges[b]), float(edges[b + 1]), n, mean, h / n, wilson_interval(h, n))
        for b, n, h, mean in zip(used, sizes.tolist(), hits.tolist(), means.tolist(), strict=True)
    ]
    found = calibration_error(binned)
    return Calibration(
        len(confident), tuple(filled), *found, float(confident.mean()), float(hit.mean()), binned.persons
    )
