"""The paired tests of every two of many runs, block by block, so that ten thousand runs fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics.paired import ENOUGH, added_variance, sign_flip
from coabench.metrics.statistics.resampling import Figures

BLOCK = 512
"""Runs that are compared with as many others at a time: some arrays of 2 MiB."""

Mask = npt.NDArray[np.bool_]


def paired_p_matrix(shares: Figures, sizes: npt.ArrayLike) -> Figures:
    """Return the p-values of `paired_difference` for every pair of runs, shape (r, r), with a diagonal of ones.

    Args:
        shares: the shares of r runs, shape (r, units).
        sizes: samples per class, shape (k,).
    """
    p = np.ones((len(shares), len(shares)))
    for rows, columns, found in paired_p_blocks(shares, sizes):
        p[rows, columns] = found
        p[columns, rows] = found.T
    np.fill_diagonal(p, 1.0)
    return p


def told_apart(shares: Figures, sizes: npt.ArrayLike, alpha: float) -> Mask:
    """Return which runs differ by `paired_difference` at *alpha*, Holm-corrected over all pairs, shape (r, r).

    Ten thousand runs take 0.8 GB: the p-values of all pairs, twice.

    Args: as for `paired_p_matrix`.
    """
    r = len(shares)
    p, at = np.empty(r * (r - 1) // 2), 0
    differ = np.zeros((r, r), dtype=bool)
    places: list[tuple[slice, slice, int]] = []
    for rows, columns, found in paired_p_blocks(shares, sizes):
        values = found[np.triu_indices(len(found), 1)] if rows == columns else found.ravel()
        p[at : at + len(values)] = values
        places.append((rows, columns, at))
        at += len(values)
    most = holm_threshold(p, alpha)
    for rows, columns, start in places:
        shape = rows.stop - rows.start, columns.stop - columns.start
        if rows == columns:
            upper = np.triu_indices(shape[0], 1)
            differ[rows, columns][upper] = p[start : start + len(upper[0])] <= most
        else:
            differ[rows, columns] = p[start : start + shape[0] * shape[1]].reshape(shape) <= most
    upper_only = differ.copy()
    differ |= upper_only.T
    return differ


def holm_threshold(p: Figures, alpha: float) -> float:
    """Return the largest p-value that `holm` leaves below *alpha*, minus infinity for none: those up to it are."""
    ordered = np.sort(p)
    kept = 0
    for start in range(0, len(ordered), 1 << 20):
        part = ordered[start : start + (1 << 20)]
        above = part * np.arange(len(ordered) - start, len(ordered) - start - len(part), -1) >= alpha
        if above.any():
            kept = start + int(above.argmax())
            break
        kept = start + len(part)
    return float(ordered[kept - 1]) if kept else -math.inf


def paired_p_blocks(shares: Figures, sizes: npt.ArrayLike) -> Iterator[tuple[slice, slice, Figures]]:
    """Yield the p-values of some runs with others: rows, columns, and p, until every pair was there once.

    On the diagonal a block has every pair twice, and what it says of a run and itself means nothing.

    Args: as for `paired_p_matrix`.
    """
    x = np.asarray(shares, dtype=np.float64)
    unit = (float(x.max()) if x.size else 1.0) or 1.0  # keep fourth powers away from rounding to nothing
    added = added_variance(sizes) / unit**2 if x.size else 0.0
    blocks = [slice(i, min(i + BLOCK, len(x))) for i in range(0, len(x), BLOCK)]
    for i, rows in enumerate(blocks):
        for columns in blocks[i:]:
            shape = rows.stop - rows.start, columns.stop - columns.start
            yield rows, columns, _p_of(x[rows] / unit, x[columns] / unit, added) if x.size else np.ones(shape)


def _p_of(x: Figures, y: Figures, added: float) -> Figures:
    """Return the p-values of every run of *x* with every one of *y*.

    Σ(a − b)² and Σ(a − b)⁴ of all pairs are sums of matrix products.
    """
    x2, y2 = x**2, y**2
    square = np.maximum(x2.sum(axis=1)[:, None] + y2.sum(axis=1)[None, :] - 2 * x @ y.T, 0)
    fourth = (x2 * x2).sum(axis=1)[:, None] + (y2 * y2).sum(axis=1)[None, :]
    fourth = fourth - 4 * (x2 * x) @ y.T - 4 * x @ (y2 * y).T + 6 * x2 @ y2.T
    apart = np.abs(x.sum(axis=1)[:, None] - y.sum(axis=1)[None, :])
    p = _two_sided(apart / np.sqrt(square + added))
    # One by one where the normal approximation is not used, and where it alone decides nothing.
    counted = ~(square**2 >= ENOUGH * fourth) | (_equal_weights(x, y, square, fourth) & (p < 1))
    for i, j in zip(*np.nonzero(counted), strict=True):
        p[i, j] = max(p[i, j], sign_flip(x[i], y[j]))
    return p


def _equal_weights(x: Figures, y: Figures, square: Figures, fourth: Figures) -> Mask:
    """Return for which pairs all differences have one size: then (Σd²)² is their number times Σd⁴."""
    a, b = (x > 0).astype(np.float64), (y > 0).astype(np.float64)
    differing = a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - 2 * a @ b.T
    equal: Mask = np.isclose(square**2, differing * fourth, rtol=1e-9)
    return equal


def _two_sided(z: Figures) -> Figures:
    """Return P(|Z| ≥ z) of the standard normal distribution, for z ≥ 0 of any shape."""
    result: Figures = np.vectorize(math.erfc, otypes=[np.float64])(z / math.sqrt(2))
    return result
