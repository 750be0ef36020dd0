"""A matrix of counts as a page shows it: what part of its row a cell is, and the link that shows its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coabench.reports.samples import link


@dataclass(frozen=True)
class Cell:
    """A cell: its count, its part of the row, and the link that shows its samples."""

    count: int
    share: float
    link: str
    right: bool


@dataclass(frozen=True)
class Matrix:
    """A matrix: its rows with their labels and totals, and the totals of its columns."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[Cell]]]
    totals: Sequence[int]


def matrix(
    labels: Sequence[str],
    rows: Sequence[Sequence[int]],
    keys: tuple[str, str],
    *,
    diagonal: bool = False,
    also: tuple[tuple[str, str], ...] = (),
) -> Matrix:
    """Return the matrix of *rows*; its links set the viewer's filters *keys*, the row's and the column's.

    Args:
        labels: of the columns, and as far as there are rows, of these.
        diagonal: whether the same label in row and column means a right answer.
        also: further filters that every link sets.
    """
    shown = []
    for row_label, counts in zip(labels, rows, strict=False):
        total = sum(counts)
        cells = [
            Cell(
                count,
                count / total if total else 0.0,
                link((keys[0], row_label), (keys[1], column_label), *also),
                diagonal and row_label == column_label,
            )
            for column_label, count in zip(labels, counts, strict=True)
        ]
        shown.append((row_label, total, cells))
    return Matrix(labels, shown, [sum(column) for column in zip(*rows, strict=True)])
