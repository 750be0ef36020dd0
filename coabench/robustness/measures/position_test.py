"""Whether the positions that are chosen differ from those that the labels alone explain, by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics import SEED, Counts, Figures
from coabench.robustness.measures.orders import Asked

SHUFFLES = 2000
"""How often answers are exchanged; the smallest p-value is one in so many and one."""


def position_p(
    orders: Sequence[Mapping[str, Asked]], ids: Sequence[str], units: Counts, shuffles: int = SHUFFLES
) -> float | None:
    """Return the p-value that answers do not depend on the order of the options; None where no two orders have answers.

    If they do not, the answers that a sample got under m orders might as well have come in any other assignment to
    these orders. The distance of the chosen positions from their mean over all assignments, Σ|chosen − expected|, is
    compared with that of random ones; a person's samples are exchanged together. Only samples that have an answer in
    every order count. The orders are those that were asked: the test does not speak for others.

    Source: R. A. Fisher, *The Design of Experiments*, 1935, section 21; that the observed assignment counts as one of
    the random ones: B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications
    in Genetics and Molecular Biology 9, 2010, article 39.

    Args:
        orders: of each order, one question about the samples; see `coabench.robustness.measures.orders.questions`.
        ids: of the samples, in the order of *units*.
        units: the person on each, or the number of the sample itself, shape (n,).
    """
    whole = [i for i, id in enumerate(ids) if all(id in order for order in orders)]
    if len(orders) < 2 or not whole:
        return None
    where, answers = _places([[order[ids[i]] for order in orders] for i in whole])
    unit = np.unique(units[whole], return_inverse=True)[1]
    m, places = len(orders), int(where.max()) + 1
    shifts = [np.tile((np.arange(m) + shift) % m, (len(whole), 1)) for shift in range(m)]  # each answer in each order
    chosen = [_chosen(where, answers, shift, places) for shift in shifts]
    expected = np.mean(chosen, axis=0)
    random = np.random.default_rng(SEED)
    drawn = [
        _chosen(where, answers, random.random((int(unit.max()) + 1, m)).argsort(axis=1)[unit], places)
        for _ in range(shuffles)
    ]
    observed = np.abs(chosen[0] - expected).sum()
    distances = np.abs(np.array(drawn) - expected).sum(axis=1)
    return float((1 + np.count_nonzero(distances >= observed - 1e-12)) / (1 + shuffles))


def _places(rows: Sequence[Sequence[Asked]]) -> tuple[Counts, Counts]:
    """Return where each label stands, shape (n, m, labels), −1 for nowhere, and the label answered, shape (n, m)."""
    labels = {option: 0 for row in rows for asked in row for option in asked.options}
    labels = {option: i for i, option in enumerate(labels)}
    where = np.full((len(rows), len(rows[0]), len(labels)), -1, dtype=np.int64)
    answers = np.empty(where.shape[:2], dtype=np.int64)
    for i, row in enumerate(rows):
        for order, asked in enumerate(row):
            where[i, order, [labels[option] for option in asked.options]] = np.arange(len(asked.options))
            answers[i, order] = labels[asked.answer]
    return where, answers


def _chosen(where: Counts, answers: Counts, assigned: npt.NDArray[np.int64], places: int) -> Figures:
    """Return the share of each position if order o gets the answer of order assigned[:, o], shape (places,)."""
    taken = np.take_along_axis(answers, assigned, axis=1)
    at = np.take_along_axis(where, taken[:, :, None], axis=2)
    counts: Figures = np.bincount(at[at >= 0], minlength=places) / at.size
    return counts
