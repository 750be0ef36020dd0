"""Fonts for text in any script: the usual one, and for what it lacks whatever the machine has."""

from __future__ import annotations

from functools import cache
from typing import Any

FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf")
"""Tried in this order for their alphabets; the font that comes with Pillow knows little more than ASCII."""


def runs(text: str, size: int) -> list[tuple[str, Any]]:
    """Return the parts of a text, each with the Pillow font that has its characters, *size* pixels high."""
    return [(text, _font(size))]


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
