"""Small pictures that stand in a page themselves."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 96
"""The longer side of a thumbnail, at most, in pixels."""


def thumbnail(image: Image) -> str:
    """Return an image, small, as a JPEG in a data URI."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
