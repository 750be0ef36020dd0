"""Where eyes, nose and mouth lie in a rendered picture: known from the head that was rendered, not detected.

``python -m coabench_synthface.landmarks`` writes those of the set that ships anew.
"""

from __future__ import annotations

import sys
from array import array
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.detector import Landmarks

if TYPE_CHECKING:
    from coabench_synthface.samples import Draft

FILE = Path(__file__).with_name("landmarks.bin")
"""Those of the set that ships, in the order of its list: five x and y in tenths of a pixel, int16, little-endian."""


def landmarks(drawn: Draft, size: int = 100) -> Landmarks:
    """Return the middles of the eyeballs, the tip of the nose and the corners of the mouth, in pixels of a picture.

    Args:
        size: its width and height.
    """
    import numpy as np

    from coabench_synthface.render import pose

    posed = pose(drawn.person, drawn.expression, drawn.scene)
    x, y = posed.project(np.concatenate([posed.eyes, posed.points[[*_vertices()]]]), drawn.scene)
    points = [(float(a) * size, float(b) * size) for a, b in zip(x, y, strict=True)]
    (one, other), nose, (left, right) = points[:2], points[2], points[3:]
    eyes, mouth = sorted((one, other)), sorted((left, right))
    return eyes[0], eyes[1], nose, mouth[0], mouth[1]


@cache
def _vertices() -> tuple[int, int, int]:
    """Return the vertices of the base mesh at the tip of the nose and at the corners of the mouth."""
    import numpy as np

    from coabench_synthface.canvas import canvas

    on = canvas()
    x, y, z = on.vertices.T
    middle = (np.abs(x) < 0.1) & (y > 6.8) & (y < 7.6)
    nose = int(np.flatnonzero(middle)[z[middle].argmax()])
    rows, columns = np.nonzero(on.lips > 0.5)
    outermost = columns.argmax()
    away = np.hypot(on.texels[:, 0] - columns[outermost], on.texels[:, 1] - rows[outermost]) + np.where(z > 1, 0, 1e6)
    corner = int(away.argmin())
    opposite = int(np.hypot(np.hypot(x + x[corner], y - y[corner]), z - z[corner]).argmin())
    return nose, corner, opposite


@cache
def shipped_landmarks() -> tuple[Landmarks, ...]:
    """Return those of the set that ships, in the order of its list."""
    numbers = _swapped(array("h", FILE.read_bytes()))
    points = [(x / 10, y / 10) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
    return tuple(zip(*(points[place::5] for place in range(5)), strict=True))


def write_shipped() -> None:
    """Compute those of the set that ships and write them."""
    from coabench_synthface.samples import PictureKey, draft
    from coabench_synthface.shipped import DIFFICULTY, SEED, shipped_set

    numbers = array("h")
    for line in shipped_set().samples:
        index = int(line["id"].rpartition("_")[2])
        drawn = draft(SEED, PictureKey(line["subset"], line["split"], index), DIFFICULTY)
        numbers.extend(round(10 * value) for point in landmarks(drawn) for value in point)
    FILE.write_bytes(_swapped(numbers).tobytes())


def _swapped(numbers: array[int]) -> array[int]:
    """Return numbers of this machine little-endian, or those from the file in its own order."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


if __name__ == "__main__":
    write_shipped()
