"""Small pictures that stand in a page themselves."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 96
"""The longer side of a thumbnail, at most, in pixels, unless told otherwise."""


def thumbnail(image: Image, side: int = SIDE) -> str:
    """Return an image, small, as a JPEG in a data URI."""
    return encoded(small(image, side))


def small(image: Image, side: int = SIDE) -> Image:
    """Return a copy that is at most *side* pixels wide and high."""
    copy = image.copy()
    copy.thumbnail((side, side))
    return copy


def encoded(image: Image) -> str:
    """Return an image as a JPEG in a data URI."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
