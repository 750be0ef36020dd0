"""Cohen's κ, the agreement of predictions with labels beyond chance, and its interval."""

from __future__ import annotations

import numpy as np

from coabench.metrics.statistics import Counts, Figures, Interval, wilson_interval


def kappa(confusion: Counts) -> Figures:
    """Return Cohen's κ of confusion matrices, shape (…, k, k + 1) -> (…); NaN where chance alone agrees always.

    (p_o − p_e) / (1 − p_e), with p_o the accuracy and p_e = Σ_c n_c·m_c / N², n_c the samples of class c and m_c its
    predictions. A sample without a label agrees with nothing. Equals scikit-learn's ``cohen_kappa_score`` with such
    samples as a label of their own.

    Source: J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20,
    1960, pp. 37–46.
    """
    observed, expected = _agreement(confusion)
    result: Figures = np.full(np.shape(observed), np.nan)
    np.divide(observed - expected, 1 - expected, out=result, where=expected < 1)
    return result


def _agreement(confusion: Counts) -> tuple[Figures, Figures]:
    n = np.maximum(confusion.sum(axis=(-2, -1)), np.finfo(float).tiny)
    observed = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1) / n
    expected = (confusion.sum(axis=-1) * confusion[..., :-1].sum(axis=-2)).sum(axis=-1) / n**2
    return observed, expected


def kappa_variance(table: Figures) -> float:
    """Return the large-sample variance of κ, by the delta method.

    Source: J. L. Fleiss, J. Cohen and B. S. Everitt, "Large sample standard errors of kappa and weighted kappa",
    Psychological Bulletin 72, 1969, pp. 323–327; checked against a numerical derivative in its tests.

    Args:
        table: a confusion matrix, shape (k, k + 1), whose κ is defined; *effective* counts need not be whole.
    """
    n, k = float(table.sum()), len(table)
    p = np.zeros((k + 1, k + 1))  # samples without a label are a class of predictions that no sample has
    p[:k] = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float(p.trace()), float(rows @ columns)
    right = p.diagonal() * ((1 - expected) - (rows + columns) * (1 - observed)) ** 2
    wrong = p * (columns[:, None] + rows) ** 2
    wrong = wrong.sum() - wrong.trace()
    variance = right.sum() + (1 - observed) ** 2 * wrong - (observed * expected - 2 * expected + observed) ** 2
    return max(0.0, float(variance)) / (n * (1 - expected) ** 4)


def kappa_interval(table: Figures, z: float) -> Interval:
    """Return an interval of κ: that of the accuracy, seen beyond chance.

    Wilson's interval of p_o at the number of samples at which its variance is (1 − p_e)²·`kappa_variance`, its bounds
    taken as (p − p_e) / (1 − p_e). κ ± z·√variance, the usual interval, is a point where all is right. This one was
    chosen by the coverage measured; see docs/explanation/coverage.md.

    Args:
        table: as for `kappa_variance`.
        z: the quantile.
    """
    observed, expected = (float(value) for value in _agreement(table))  # type: ignore[arg-type]
    n = float(table.sum())
    alone = observed * (1 - observed)
    variance = kappa_variance(table) * (1 - expected) ** 2
    effective = alone / variance if alone > 0 and variance > 0 else n
    low, high = wilson_interval(observed * effective, effective, quantile=z)
    return (low - expected) / (1 - expected), (high - expected) / (1 - expected)
