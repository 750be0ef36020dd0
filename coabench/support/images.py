"""Reading image files: a closed list of formats, upright, as 8-bit RGB; every reader of pictures uses it.

What is not plain 8-bit grey or colour is changed by rules that are stated here, and a run's record names them:

- The orientation that EXIF states is obeyed (of JPEG, PNG, WebP, TIFF, AVIF).
- Greys of more than 8 bits are scaled to 8. White is the largest value of 8, 10, 12, 14, 16 or 32 bits, whichever is
  the smallest that no pixel exceeds; of floats it is 1, 255 or 65535. Negative values and NaN are refused.
- Transparent parts show white behind them.
- Of a file with several pictures the first is read.
"""

from __future__ import annotations

import io
import re
import struct
from functools import cache
from typing import TYPE_CHECKING

from coabench.errors import first_line

if TYPE_CHECKING:
    from PIL.Image import Image

READER = 2
"""The version of these rules, part of a run's identity. Version 1, of coabench 0.1.0, obeyed no orientation, cut greys
off at 255 and dropped transparency."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM")
"""What Pillow may decode; it has decoders for 40 others, one of which starts Ghostscript."""

SUFFIXES = frozenset(
    f".{ending}"
    for ending in "jpg jpeg jpe jfif mpo png webp bmp gif tif tiff avif pgm ppm heic heif".split()  # noqa: SIM905
)
"""How the names of images end, HEIC's too, so that nobody's pictures are passed over in silence; a file is read by its
content, whatever its ending."""

HEIC_REMEDY = "pip install 'coabench[heic]', or convert them to JPEG"

ORIENTATION = 0x0112
"""The EXIF tag."""
BITS = (8, 10, 12, 14, 16, 32)
FLOATS = (1.0, 255.0, 65535.0)
DEEP = ("I", "F")
"""What the names of Pillow's modes of more than 8 bits begin with."""


class UnreadableImage(ValueError):
    """The bytes are no image that can be read; the message says why, in words that follow "cannot be decoded: "."""


def decode(data: bytes) -> tuple[Image, tuple[str, ...]]:
    """Return an image as 8-bit RGB, and what was done to it beyond decoding, in words.

    Raises:
        UnreadableImage: truncated, of another format, suspiciously large, or with values that are no greys.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    notes = []
    try:
        with Image.open(io.BytesIO(data), formats=_formats(is_heic(data))) as image:
            orientation = image.getexif().get(ORIENTATION, 1)
            image.load()  # Pillow's TIFF reader turns the picture here
            upright = ImageOps.exif_transpose(image)
            if orientation in range(2, 9):
                notes.append(f"turned upright (orientation {orientation})")
            if upright.mode.startswith(DEEP):
                return _scaled(upright, notes)
            if upright.has_transparency_data:
                notes.append("white behind transparent parts")
                return _on_white(upright), tuple(notes)
            return upright.convert("RGB"), tuple(notes)
    except UnidentifiedImageError:
        raise UnreadableImage(f"it is no image of a format that is read ({', '.join(FORMATS)})") from None
    except UnreadableImage:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise UnreadableImage(re.sub(r" ?<[^>]* at 0x[0-9a-f]+>", "", first_line(error))) from None


def is_heic(data: bytes) -> bool:
    """Whether bytes are an HEIC or HEIF picture, as iPhones write them."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def _formats(heic: bool) -> tuple[str, ...]:
    """Return the formats that may be decoded; for HEIC that is what the extra brings."""
    if not heic:
        return _known_formats()
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise UnreadableImage(f"it is HEIC: {HEIC_REMEDY}") from None
    register_heif_opener(thumbnails=False)
    return ("HEIF",)


@cache
def _known_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that this Pillow decodes: AVIF came with 11.3."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _on_white(image: Image) -> Image:
    from PIL import Image as images

    layer = image.convert("RGBA")
    white = images.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return white.convert("RGB")


def _scaled(image: Image, notes: list[str]) -> tuple[Image, tuple[str, ...]]:
    """Return deep greys as 8-bit RGB."""
    import numpy as np
    from PIL import Image as images

    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise UnreadableImage("its grey values are negative or no numbers")
    most = values.max(initial=0)
    floats = image.mode == "F"
    white = next((top for top in (FLOATS if floats else (2.0**bits - 1 for bits in BITS)) if most <= top), None)
    if white is None:
        raise UnreadableImage(f"its grey values reach {most:g}; expected {FLOATS[-1]:g} at most")
    notes.append(f"greys scaled (white is {white:g})")
    scaled = np.rint(values * (255 / white)).astype(np.uint8)
    return images.fromarray(scaled).convert("RGB"), tuple(notes)
