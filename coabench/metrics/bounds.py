"""The interval of a figure of a run, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coabench.metrics.kappa import kappa_interval, kappa_variance
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import (
    Counts,
    Figures,
    Interval,
    jackknife_variance,
    mean_score_interval,
    normal_quantile,
    percentile_interval,
    student_quantile,
    wilson_interval,
)

Formula = Callable[[Counts], Figures]
"""Confusion matrices, shape (…, k, k + 1) -> figures, shape (…)."""


@dataclass(frozen=True)
class Score:
    """The interval of a figure from its confusion matrix, for independent samples.

    Attributes:
        interval: the matrix, shape (k, k + 1), of counts that need not be whole, and the quantile -> bounds.
        variance: the matrix -> the variance of the figure.
    """

    interval: Callable[[Figures, float], Interval]
    variance: Callable[[Figures], float]


def _counts(table: Figures) -> tuple[Figures, Figures]:
    """Return hits and samples of the classes that have samples, shape (k',)."""
    n = table.sum(axis=1)
    return table.diagonal()[n > 0], n[n > 0]


def _interval_of_uar(table: Figures, z: float) -> Interval:
    return mean_score_interval(*_counts(table), quantile=z)


def _variance_of_uar(table: Figures) -> float:
    hits, n = _counts(table)
    p = hits / n
    return float((p * (1 - p) / n).sum()) / len(n) ** 2


def _interval_of_war(table: Figures, z: float) -> Interval:
    return wilson_interval(float(table.trace()), float(table.sum()), quantile=z)


def _variance_of_war(table: Figures) -> float:
    n, p = float(table.sum()), float(table.trace() / table.sum())
    return p * (1 - p) / n


def _interval_of_adjusted_uar(table: Figures, z: float) -> Interval:
    chance = 1 / len(_counts(table)[1])
    low, high = _interval_of_uar(table, z)
    return (low - chance) / (1 - chance), (high - chance) / (1 - chance)


def _variance_of_adjusted_uar(table: Figures) -> float:
    return _variance_of_uar(table) / (1 - 1 / len(_counts(table)[1])) ** 2


UAR_SCORE = Score(_interval_of_uar, _variance_of_uar)
WAR_SCORE = Score(_interval_of_war, _variance_of_war)
ADJUSTED_UAR_SCORE = Score(_interval_of_adjusted_uar, _variance_of_adjusted_uar)
KAPPA_SCORE = Score(kappa_interval, kappa_variance)

THIN = 5
"""A class below so many samples makes the bootstrap's intervals useless."""


def bounds(
    predicted: Predicted, formula: Formula, score: Score | None, level: float, least: float = 0.0
) -> Interval | str:
    """Return the interval of a figure, or why there is none.

    Where several samples show one person, the interval is that of persons: see `_of_subjects`.

    Args:
        score: the interval for independent samples; None for the percentile bootstrap's.
        least: the smallest value that the figure can have; the largest is 1.
    """
    if score is None and (reason := _bootstrap_fails(predicted, formula)):
        return reason
    if predicted.clusters is not None:
        return _of_subjects(predicted, formula, score, level, least)
    if score is None:
        return percentile_interval(formula(predicted.drawn), level)
    low, high = score.interval(predicted.confusion.astype(np.float64), normal_quantile(level))
    return max(least, low), min(1.0, high)


def _of_subjects(
    predicted: Predicted, formula: Formula, score: Score | None, level: float, least: float
) -> Interval | str:
    """Return the interval of a figure over m persons, or why there is none.

    The jackknife over persons gives the variance v. The interval reaches as far as value ± t·√v, with t of Student's
    distribution with m − 1 degrees of freedom, and as far as the score interval, with t for z, of *effective* counts:
    those of the samples over the design effect, v over the variance of independent samples, at least 1. The first alone
    is too narrow near 0 and 1, and a point where all are right: then each person counts as one sample.

    Source: J. W. Tukey, "Bias and confidence in not quite large samples", Annals of Mathematical Statistics 29, 1958,
    p. 614 (Student's t with the jackknife); L. Kish, *Survey Sampling*, Wiley, 1965, section 8.2 (the design effect);
    J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48, 1992,
    pp. 577–585 (counts over the design effect). Putting the two together was chosen by the coverage measured.
    """
    tables = predicted.by_subject
    subjects = len(tables)
    if subjects == 1:
        return "all images show one person"
    value = float(formula(predicted.confusion))
    variance = jackknife_variance(formula(predicted.confusion - tables))
    if not math.isfinite(variance):
        return "without one of the persons it is undefined"
    t = student_quantile(subjects - 1, level)
    low, high = value - t * math.sqrt(variance), value + t * math.sqrt(variance)
    if score is None:
        independent = percentile_interval(formula(predicted.drawn), level)
    else:
        table = predicted.confusion.astype(np.float64)
        alone = score.variance(table)
        effect = max(1.0, variance / alone) if alone > 0 else len(predicted) / subjects
        n = np.maximum(table.sum(axis=1, keepdims=True), 1.0)
        independent = score.interval(table / n * np.maximum(n / effect, 1.0), t)
    return max(least, min(low, independent[0])), min(1.0, max(high, independent[1]))


def _bootstrap_fails(predicted: Predicted, formula: Formula) -> str | None:
    """Return why the bootstrap says nothing about these predictions; None where it does.

    A class with few samples is drawn in few ways; and where most replicates are the same number, as at 100 % right, the
    interval is a point.
    """
    n = predicted.confusion.sum(axis=-1)
    thin = [(int(size), name) for size, name in zip(n, predicted.names, strict=True) if 0 < size < THIN]
    if thin:
        size, name = min(thin)
        return f"{name} has {size} sample{'s' if size > 1 else ''}, and the bootstrap needs {THIN} of each class"
    figures = formula(predicted.drawn)
    _, counts = np.unique(figures, return_counts=True)
    return "most bootstrap replicates are the same number" if counts.max() > len(figures) / 2 else None
