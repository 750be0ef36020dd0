"""The figures of two runs on the same samples, and what they differ by: over all, by class, by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coabench.metrics.figures import paired_table, recalls, uar, war
from coabench.metrics.groups import MIN_GROUP
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts, Figures, holm, paired_difference
from coabench.reports.aligned import Aligned


@dataclass(frozen=True)
class Figure:
    """A figure of both runs and their difference, all proportions; *p* is two-sided.

    *figure* is ``UAR``, ``WAR`` or ``recall``, the last with its *label*, whose p-values are Holm-corrected over the
    labels. *differing* counts the samples (or persons) that add something else to one run than to the other, *only_a*
    and *only_b* the samples that just one run gets right.
    """

    figure: str
    label: str | None
    n: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    differing: int
    only_a: int
    only_b: int


@dataclass(frozen=True)
class GroupDifference:
    """The UAR of both runs on the *n* samples with one value of an attribute, over the classes that these have.

    The p-values are Holm-corrected over all groups of all attributes; *figure* is None for a group that is too small.
    """

    attribute: str
    value: str
    n: int
    figure: Figure | None


def paired_figures(a: Predicted, b: Predicted) -> list[Figure]:
    """Return UAR, WAR, then the recall of each label that has samples."""
    table = paired_table(a.targets, a.predictions, b.predictions, a.k)
    accuracy = war(a.confusion), war(b.confusion)
    return [_uar(a, b, table), _figure("WAR", accuracy, (a.hits, b.hits), [len(a)], table), *_recalls(a, b, table)]


def _uar(a: Predicted, b: Predicted, table: Counts) -> Figure:
    return _figure("UAR", (uar(a.confusion), uar(b.confusion)), (a.shares, b.shares), a.sizes, table)


def _figure(
    name: str,
    values: tuple[Figures, Figures],
    shares: tuple[Figures, Figures],
    sizes: npt.ArrayLike,
    table: Counts,
    label: str | None = None,
) -> Figure:
    """Compare a figure of both runs.

    Args:
        shares: what each sample (or subject) adds to it in either run.
        sizes: the samples of the classes that it is an average over.
        table: the samples that it is about, by what became of them, shape (…, 3).
    """
    found = paired_difference(*shares, sizes)
    only_a, only_b, _ = (int(n) for n in table.reshape(-1, 3).sum(axis=0))
    return Figure(name, label, int(table.sum()), float(values[0]), float(values[1]), found.value, found.low, found.high,
                  found.p, found.differing, only_a, only_b)  # fmt: skip


def _recalls(a: Predicted, b: Predicted, table: Counts) -> list[Figure]:
    recall_a, recall_b = recalls(a.confusion), recalls(b.confusion)
    figures = []
    for c in np.flatnonzero(a.sizes).tolist():
        shares = a.hits_of(c), b.hits_of(c)
        figures.append(_figure("recall", (recall_a[c], recall_b[c]), shares, a.sizes[c : c + 1], table[c], a.names[c]))
    adjusted = holm([figure.p for figure in figures])
    return [replace(figure, p=float(p)) for figure, p in zip(figures, adjusted, strict=True)]


def group_differences(aligned: Aligned) -> Iterator[GroupDifference]:
    """Yield the difference of two runs within each value of each attribute that makes groups."""
    found: list[tuple[str, str, int, Figure | None]] = []
    for attribute, values in aligned.attributes.members().items():
        for value, positions in values.items():
            a, b = (answers.part(positions) for answers in aligned.answers)
            table = paired_table(a.targets, a.predictions, b.predictions, a.k)
            enough = len(positions) >= MIN_GROUP
            found.append((attribute, value, len(positions), _uar(a, b, table) if enough else None))
    adjusted = iter(holm([figure.p for *_, figure in found if figure]))
    for attribute, value, n, figure in found:
        corrected = None if figure is None else replace(figure, p=float(next(adjusted)))
        yield GroupDifference(attribute, value, n, corrected)
