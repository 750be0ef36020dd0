"""From an image to the text in which it travels."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["png", "jpeg"]
QUALITY = 95
"""Of JPEGs, without chroma subsampling: faces are small."""


def data_url(image: Image, form: Format, max_side: int | None) -> str:
    """Return an RGB image as a ``data:`` URL in base64.

    Args:
        form: ``png`` keeps every pixel.
        max_side: images with a longer side are scaled down to it (Lanczos); None to send them as they are.
    """
    from PIL.Image import Resampling

    if max_side is not None and max(image.size) > max_side:
        ratio = max_side / max(image.size)
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        image = image.resize(size, Resampling.LANCZOS)
    file = io.BytesIO()
    if form == "png":
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return f"data:image/{form};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


@cache
def plain_picture(form: Format) -> str:
    """Return the even grey picture that a server is tried on: nobody's face."""
    from PIL import Image

    return data_url(Image.new("RGB", (96, 96), (128, 128, 128)), form, None)
