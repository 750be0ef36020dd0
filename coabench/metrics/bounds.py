"""The interval of a figure of a run, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
    """The interval of a figure from its counts, for independent samples.

    Attributes:
        interval: hits and samples per class, shape (k,), of classes with samples, and the quantile -> bounds.
        variance: the same counts -> the variance of the figure.
    """

    interval: Callable[[Figures, Figures, float], Interval]
    variance: Callable[[Figures, Figures], float]


def _variance_of_mean(hits: Figures, n: Figures) -> float:
    p = hits / n
    return float((p * (1 - p) / n).sum()) / len(n) ** 2


def _variance_of_share(hits: Figures, n: Figures) -> float:
    p = float(hits.sum() / n.sum())
    return p * (1 - p) / float(n.sum())


UAR_SCORE = Score(lambda hits, n, z: mean_score_interval(hits, n, quantile=z), _variance_of_mean)
WAR_SCORE = Score(lambda hits, n, z: wilson_interval(hits.sum(), n.sum(), quantile=z), _variance_of_share)

THIN = 5
"""A class below so many samples makes the bootstrap's intervals useless."""


def bounds(predicted: Predicted, formula: Formula, score: Score | None, level: float) -> Interval | str:
    """Return the interval of a figure, or why there is none.

    Where several samples show one person, the interval is that of persons: see `_of_subjects`.

    Args:
        score: the interval for independent samples; None for the percentile bootstrap's.
    """
    if score is None and (reason := _bootstrap_fails(predicted, formula)):
        return reason
    if predicted.clusters is not None:
        return _of_subjects(predicted, formula, score, level)
    if score is None:
        return percentile_interval(formula(predicted.drawn), level)
    return score.interval(*_counts(predicted), normal_quantile(level))


def _counts(predicted: Predicted) -> tuple[Figures, Figures]:
    """Return hits and samples of the classes that have samples, shape (k',)."""
    n = predicted.sizes
    hits: Figures = predicted.confusion.diagonal()[n > 0].astype(np.float64)
    return hits, n[n > 0].astype(np.float64)


def _of_subjects(predicted: Predicted, formula: Formula, score: Score | None, level: float) -> Interval | str:
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
    t = student_quantile(subjects - 1, level)
    low, high = value - t * math.sqrt(variance), value + t * math.sqrt(variance)
    if score is None:
        independent = percentile_interval(formula(predicted.drawn), level)
    else:
        hits, n = _counts(predicted)
        alone = score.variance(hits, n)
        effect = max(1.0, variance / alone) if alone > 0 else len(predicted) / subjects
        effective = np.maximum(n / effect, 1.0)
        independent = score.interval(hits / n * effective, effective, t)
    return max(0.0, min(low, independent[0])), min(1.0, max(high, independent[1]))


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
