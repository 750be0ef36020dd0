"""The bootstrap: a test set drawn again and again, class by class or subject by subject."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

REPLICATES = 10_000
"""How many times the bootstrap draws the test set again."""

SEED = 0
"""The seed of the bootstrap. Any fixed number does; it is recorded with the intervals."""

Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]

_CHUNK = 4_000_000  # numbers per block of subject weights: 32 MB


def bootstrap(counts: Counts, replicates: int = REPLICATES, seed: int = SEED) -> Counts:
    """Draw a test set again and again, and return its tables of counts.

    Args:
        counts: samples by true class and by what became of them, shape (k, m): a confusion matrix
            (`coabench.metrics.figures.confusion_matrix`) or a paired table
            (`coabench.metrics.figures.paired_table`). Then each class is drawn by itself. Or one such table for each
            subject, shape (subjects, k, m). Then subjects are drawn.
        replicates: how many to draw.
        seed: of the random generator.

    Returns:
        Counts, shape (replicates, k, m).
    """
    rng = np.random.default_rng(seed)
    return _by_class(counts, replicates, rng) if counts.ndim == 2 else _by_subject(counts, replicates, rng)


def _by_class(counts: Counts, replicates: int, rng: np.random.Generator) -> Counts:
    """Draw the samples of each class by themselves, as many as there are: stratified.

    Resampling the n_c samples of class c with replacement, and counting what became of them, *is* one draw from the
    multinomial distribution with n_c trials and the probabilities ``counts[c] / n_c``. So the rows are never touched: a
    replicate costs k draws instead of N look-ups.

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993, chapter 8
    (resampling each sample of a several-sample problem by itself).
    """
    drawn = np.zeros((replicates, *counts.shape), dtype=np.int64)
    for c, row in enumerate(counts):
        n = int(row.sum())
        if n:
            seen = np.flatnonzero(row)  # what never occurred cannot be drawn: skip the zeros
            drawn[:, c, seen] = rng.multinomial(n, row[seen] / n, size=replicates)
    return drawn


def _by_subject(counts: Counts, replicates: int, rng: np.random.Generator) -> Counts:
    """Draw subjects, as many as there are, each with all of its samples; the class sizes vary.

    Several images of one person succeed and fail together; resampling images would take them for independent and make
    the intervals too narrow.

    Source: A. C. Davison and D. V. Hinkley, *Bootstrap Methods and their Application*, Cambridge, 1997, section 3.8
    (resampling whole groups).
    """
    subjects, k, m = counts.shape
    flat = counts.reshape(subjects, k * m).astype(np.float64)
    step = max(1, _CHUNK // subjects)
    parts = []
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=size)
        parts.append(weights.astype(np.float64) @ flat)  # exact: whole numbers far below 2⁵³
    return np.concatenate(parts).reshape(replicates, k, m).astype(np.int64)
