"""Deletion curves: is what a map calls important what the answer depends on?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coabench.explanation.windows import SIDE, Fill, Map, background, cover_cells

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 12
"""The rows and columns of the cells that are covered one after the other."""

STEPS = 8
"""How many times more is covered, up to the whole image."""

RANDOM = 2
"""Random orders to compare with."""

Order = npt.NDArray[np.int64]


def order_of(found: Map) -> Order:
    """Return the cells by their mean value in a map, the highest first; shape (`GRID` ²,)."""
    edge = SIDE // GRID
    cells = found.reshape(GRID, edge, GRID, edge).mean(axis=(1, 3)).ravel()
    return np.argsort(-cells, kind="stable")


def random_orders(seed: int, sample: str) -> list[Order]:
    """Return orders of the cells that know nothing of the map."""
    draw = random.Random(f"deletion {seed} {sample}")
    return [np.array(draw.sample(range(GRID**2), GRID**2)) for _ in range(RANDOM)]


def deleted(image: Image, order: Order, fill: Fill) -> list[Image]:
    """Return `STEPS` copies with more and more cells covered, the last one all."""
    filling, copies = background(image, fill), []
    for step in range(1, STEPS + 1):
        covered = np.zeros(GRID**2, dtype=np.bool_)
        covered[order[: round(step / STEPS * GRID**2)]] = True
        copies.append(cover_cells(image, filling, covered.reshape(GRID, GRID)))
    return copies


def area_under(curve: Sequence[float]) -> float:
    """Return the area under the probability of the answer against the covered part (trapezoids): lower is better.

    Source: V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    BMVC 2018, section 4.2.

    Args:
        curve: the probability with nothing, …, everything covered; equal steps.
    """
    values = np.asarray(curve)
    return float(((values[1:] + values[:-1]) / 2).mean())
