"""What a face looks like, cheaply: enough to know it again a moment later, and never more than that."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from coabench.detector import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Appearance = NDArray[np.float32]
    """Mean colours (RGB, 0…1) of 8 × 8 cells of the box of a face."""

CELLS, SAMPLES = 8, 4
"""Cells along a side of the box, and pixels that are looked at along a side of a cell."""
ANOTHER = 0.2
"""The distance from which two appearances have nothing in common. Synthetic faces of two persons in one light are 0.16
apart in the middle (one in a hundred less than 0.1), those of one person with two expressions 0.013 (one in a hundred
more than 0.04)."""


def appearance(image: NDArray[np.uint8], box: Box) -> Appearance | None:
    """Return what is in a *box* of an RGB *image* (height × width × 3); None where the box lies outside."""
    import numpy as np

    height, width = image.shape[:2]
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if right <= left or bottom <= top:
        return None
    steps = (np.arange(CELLS * SAMPLES) + 0.5) / (CELLS * SAMPLES)
    rows, columns = (top + steps * (bottom - top)).astype(int), (left + steps * (right - left)).astype(int)
    cells = image[rows[:, None], columns].reshape(CELLS, SAMPLES, CELLS, SAMPLES, 3)
    means: Appearance = (cells.mean((1, 3)) / 255).astype(np.float32)
    return means


def similarity(first: Appearance, second: Appearance) -> float:
    """Return 1 for the same appearance, down to 0 for those `ANOTHER` apart: root mean square, the middle counts most.

    Detectors' boxes shake: the middle of the first is compared with the second where it fits best, a cell to any side.
    """
    middle, inside = first[1:-1, 1:-1], CELLS - 2
    shifts = (second[y : y + inside, x : x + inside] for y in range(3) for x in range(3))
    distance: float = min(float((_weights() * (middle - part) ** 2).sum()) for part in shifts) ** 0.5
    return max(0.0, 1.0 - distance / ANOTHER)


@cache
def _weights() -> Appearance:
    import numpy as np

    inside = CELLS - 2
    along = np.exp(-(((np.arange(inside) - (inside - 1) / 2) / (inside / 2)) ** 2))
    cells = np.outer(along, along)
    weights: Appearance = (cells / cells.sum() / 3)[..., None].astype(np.float32)
    return weights
