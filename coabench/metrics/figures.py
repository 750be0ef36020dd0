"""The figures of a run: recall, UAR, WAR, macro-F1; and the differences of two runs on the same samples.

Everything derives from a confusion matrix of shape (…, k, k + 1): true class by predicted class, with one more
column for samples that got no label. Such a sample (INVALID, or an error) is wrong and counted; it is never a class.
The functions take any number of leading axes, so the same formula gives the figure of a run and of its 10,000
bootstrap replicates.

How a metric of a plugin is called says `coabench.hookspecs.coabench_register_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.errors import UserError
from coabench.metrics.statistics import Counts, Figures


def encode(labels: Iterable[str | None], names: Sequence[str]) -> Counts:
    """Return labels as integers, shape (n,): the index in *names*, or ``len(names)`` for None (INVALID).

    Raises:
        UserError: a label is not among *names*.
    """
    index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    index[None] = len(names)
    try:
        return np.array([index[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise unknown_label(error.args[0], names) from None


def unknown_label(label: object, names: Sequence[str]) -> UserError:
    """Return the error of a label that is not among *names*."""
    return UserError(
        f"{label!r} is no label of this label space",
        expected=", ".join(names),
        remedy="use the label space that the predictions were made with",
    )


def confusion_matrix(
    targets: npt.ArrayLike, predictions: npt.ArrayLike, k: int, clusters: npt.ArrayLike | None = None
) -> Counts:
    """Count predictions by true class.

    Args:
        targets: true classes, shape (n,), each within 0…k−1.
        predictions: predicted classes, shape (n,), each within 0…k, where k stands for "no label".
        k: the number of classes.
        clusters: the subject of each sample, shape (n,), whole numbers from 0 on; for one matrix per subject.

    Returns:
        Counts, shape (k, k + 1), or (subjects, k, k + 1).

    Raises:
        ValueError: the shapes differ, or a class is out of range.
    """
    return _table(_classes(targets, k), _classes(predictions, k + 1), (k, k + 1), clusters)


def paired_table(
    targets: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    k: int,
    clusters: npt.ArrayLike | None = None,
) -> Counts:
    """Count, by true class, the samples that only run *a* gets right, only run *b*, and neither alone.

    Args:
        targets: true classes, shape (n,).
        a, b: what two runs predicted for the same samples, shape (n,), each within 0…k.
        k: the number of classes.
        clusters: as for `confusion_matrix`.

    Returns:
        Counts, shape (k, 3), or (subjects, k, 3).
    """
    true, first, second = _classes(targets, k), _classes(a, k + 1), _classes(b, k + 1)
    if first.shape != second.shape:
        raise ValueError(f"runs of {first.shape} and {second.shape} predictions are not paired")
    right_a, right_b = first == true, second == true
    outcome = np.where(right_a & ~right_b, 0, np.where(right_b & ~right_a, 1, 2))
    return _table(true, outcome, (k, 3), clusters)


def shares(
    targets: npt.ArrayLike, predictions: npt.ArrayLike, k: int, clusters: npt.ArrayLike | None = None
) -> Figures:
    """Return what each sample (or subject) adds to the UAR, shape (n,) or (subjects,); the sum is the UAR.

    A hit in a class of n_c samples adds 1 / (k'·n_c), with k' the number of classes that have samples.
    """
    true, predicted = _classes(targets, k), _classes(predictions, k + 1)
    n = np.bincount(true, minlength=k)
    worth: Figures = (predicted == true) / (np.count_nonzero(n) * n[true])
    return worth if clusters is None else _sums(worth, clusters)


def _sums(values: Figures, clusters: npt.ArrayLike) -> Figures:
    return np.bincount(np.asarray(clusters, dtype=np.int64), weights=values).astype(np.float64)


def _classes(values: npt.ArrayLike, bound: int) -> Counts:
    classes = np.asarray(values, dtype=np.int64)
    if classes.ndim != 1:
        raise ValueError(f"expected vectors of classes, found the shape {classes.shape}")
    if classes.size and not (classes.min() >= 0 and classes.max() < bound):
        raise ValueError(f"a class is out of range: expected 0…{bound - 1}, found {classes.min()}…{classes.max()}")
    return classes


def _table(rows: Counts, columns: Counts, shape: tuple[int, int], clusters: npt.ArrayLike | None) -> Counts:
    """Count (row, column), for each cluster by itself where there are clusters."""
    if rows.shape != columns.shape:
        raise ValueError(f"targets {rows.shape} and predictions {columns.shape} must be vectors of one length")
    cells = shape[0] * shape[1]
    cell = rows * shape[1] + columns
    if clusters is None:
        return np.bincount(cell, minlength=cells).reshape(shape).astype(np.int64)
    cluster = np.asarray(clusters, dtype=np.int64)
    number = int(cluster.max(initial=-1)) + 1
    return np.bincount(cluster * cells + cell, minlength=number * cells).reshape(number, *shape).astype(np.int64)


def recalls(confusion: Counts) -> Figures:
    """Return hits / samples of each class, shape (…, k); NaN for a class without samples."""
    n = confusion.sum(axis=-1)
    return _ratio(_hits(confusion), n)


def uar(confusion: Counts) -> Figures:
    """Return the unweighted average recall, shape (…): the mean of the recalls of the classes that have samples.

    The measure of RAF-DB (Li, Deng and Du, CVPR 2017: the mean of the diagonal of the normalised confusion matrix),
    and scikit-learn's ``balanced_accuracy_score``.
    """
    return _mean_over(recalls(confusion), confusion.sum(axis=-1) > 0)


def adjusted_uar(confusion: Counts) -> Figures:
    """Return the chance-adjusted UAR, shape (…): (UAR − 1/k) / (1 − 1/k), k the classes that have samples.

    0 is what any answer that does not look at the image reaches on average, 1 is all right; NaN where there is one
    class. scikit-learn's ``balanced_accuracy_score(adjusted=True)``; with two classes, Youden's J (informedness).

    Source: W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 1950, pp. 32–35, for two classes.
    """
    chance = _ratio(np.ones(confusion.shape[:-2]), (confusion.sum(axis=-1) > 0).sum(axis=-1))
    result: Figures = np.full(chance.shape, np.nan)
    np.divide(uar(confusion) - chance, 1 - chance, out=result, where=chance < 1)
    return result


def war(confusion: Counts) -> Figures:
    """Return the weighted average recall, shape (…): hits / samples. The same as accuracy."""
    n = confusion.sum(axis=(-2, -1))
    return _ratio(_hits(confusion).sum(axis=-1), n)


def macro_f1(confusion: Counts) -> Figures:
    """Return the mean F1 of the classes that have samples, shape (…).

    F1 of a class is ``2·hits / (samples + predictions)``, the harmonic mean of its recall and precision. The mean
    runs over the same classes as the UAR. So a prediction of a class that has no samples costs its true class a hit,
    as INVALID does, but adds no class. Equals scikit-learn's ``f1_score(average="macro", labels=<classes with
    samples>, zero_division=0)``.
    """
    n, predicted = confusion.sum(axis=-1), confusion[..., :-1].sum(axis=-2)
    return _mean_over(_ratio(2 * _hits(confusion), n + predicted), n > 0)


def uar_difference(paired: Counts) -> Figures:
    """Return UAR of *a* minus UAR of *b* from paired tables, shape (…, k, 3) -> (…)."""
    n = paired.sum(axis=-1)
    return _mean_over(recall_differences(paired), n > 0)


def war_difference(paired: Counts) -> Figures:
    """Return WAR of *a* minus WAR of *b* from paired tables, shape (…, k, 3) -> (…)."""
    return _ratio((paired[..., 0] - paired[..., 1]).sum(axis=-1), paired.sum(axis=(-2, -1)))


def recall_differences(paired: Counts) -> Figures:
    """Return recall of *a* minus recall of *b* by class, shape (…, k, 3) -> (…, k); NaN for a class without samples."""
    return _ratio(paired[..., 0] - paired[..., 1], paired.sum(axis=-1))


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(parts: npt.NDArray[Any], wholes: Counts) -> Figures:
    """Return parts / wholes, NaN where a whole is 0."""
    result: Figures = np.full(wholes.shape, np.nan)
    np.divide(parts, wholes, out=result, where=wholes > 0)
    return result


def _mean_over(values: Figures, present: npt.NDArray[np.bool_]) -> Figures:
    """Return the mean along the last axis of the *values* that are *present*, NaN where none is."""
    return _ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))
