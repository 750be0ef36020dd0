"""Maps as pictures: over the grey image, or alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coabench.explanation.windows import Map
from coabench.support.thumbnails import encoded

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 192
"""The longer side of a picture in a page, in pixels."""

OPACITY = 0.62
"""Of the map over the image."""

VIRIDIS = np.array(
    [(68, 1, 84), (72, 36, 117), (65, 68, 135), (53, 95, 141), (42, 120, 142), (33, 145, 140), (34, 168, 132),
     (68, 191, 112), (122, 209, 81), (189, 223, 38), (253, 231, 37)]
)  # fmt: skip
"""A perceptually uniform colour map at 0, 0.1, … 1: viridis, by S. van der Walt and N. Smith, 2015 (CC0)."""


def shown(image: Image) -> str:
    """Return an image for a page, as a data URI."""
    return encoded(_sized(image))


def overlay(image: Image, found: Map, most: float) -> str:
    """Return a map over its image in grey, as a data URI.

    Args:
        most: the drop that has the last colour; drops below 0 have the first.
    """
    from PIL import Image as Images

    under = _sized(image).convert("L").convert("RGB")
    return encoded(Images.blend(under, coloured(found, most).resize(under.size, Images.Resampling.BICUBIC), OPACITY))


def alone(found: Map, most: float) -> str:
    """Return a map without an image, as a data URI."""
    from PIL import Image as Images

    return encoded(coloured(found, most).resize((SIDE, SIDE), Images.Resampling.BICUBIC))


def legend() -> str:
    """Return the colours from 0 to the most, left to right, as a data URI."""
    from PIL import Image as Images

    return encoded(coloured(np.tile(np.linspace(0, 1, 256), (8, 1)), 1).resize((256, 10), Images.Resampling.BILINEAR))


def coloured(found: Map, most: float) -> Image:
    """Return a map in colours, a pixel a place."""
    from PIL import Image as Images

    place = np.clip(found / most if most > 0 else np.zeros_like(found), 0, 1) * (len(VIRIDIS) - 1)
    channels = [np.interp(place, np.arange(len(VIRIDIS)), VIRIDIS[:, c]) for c in range(3)]
    return Images.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def _sized(image: Image) -> Image:
    from PIL import Image as Images

    scale = SIDE / max(image.size)
    width, height = (max(round(side * scale), 1) for side in image.size)
    return image.resize((width, height), Images.Resampling.BICUBIC)
