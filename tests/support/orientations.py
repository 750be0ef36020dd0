"""Pictures stored turned, with an EXIF orientation that says how to turn them back."""

from collections.abc import Mapping

from PIL import Image

STORED: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation -> how an upright picture is stored under it."""


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data with an orientation alone."""
    made = Image.Exif()
    made[0x0112] = orientation
    return made
