"""Reading image files: a closed list of formats, upright, as 8-bit RGB; every reader of pictures uses it.

What is not plain 8-bit grey or colour is changed by rules that are stated here, and a run's record names them:

- The orientation that EXIF states is obeyed (of JPEG, PNG, WebP, TIFF, AVIF).
- Greys of more than 8 bits are scaled to 8. White is the largest value of 8, 10, 12, 14, 16 or 32 bits, whichever is
  the smallest that no pixel exceeds; of floats it is 1, 255 or 65535. Negative values and NaN are refused.
- Transparent parts show white behind them.
- Of a file with several pictures the first is read.

What Pillow warns of (a damaged EXIF block, say) is named, too.
"""

from __future__ import annotations

import io
import re
from functools import cache
from typing import TYPE_CHECKING

from coabench.errors import first_line
from coabench.support.image_warnings import collected

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

HEIC_SUFFIXES = (".heic", ".heif")
HEIC_REMEDY = "pip install 'coabench[heic]', or convert them to JPEG"

HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

ORIENTATION = 0x0112
"""The EXIF tag."""
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
"""Orientation -> what turns the stored picture upright, as `PIL.ImageOps.exif_transpose` does."""
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
"""What begins a segment of a JPEG, but for those without a length."""
BITS = (8, 10, 12, 14, 16, 32)
FLOATS = (1.0, 255.0, 65535.0)
SCANS = 100
"""Passes over its pixels that a JPEG may make; encoders write ten or so."""
DEEP = ("I", "F")
"""What the names of Pillow's modes of more than 8 bits begin with."""


class UnreadableImage(ValueError):
    """The bytes are no image that can be read; the message says why, in words that follow "cannot be decoded: "."""


def decode(data: bytes) -> tuple[Image, tuple[str, ...]]:
    """Return an image as 8-bit RGB, and what was done to it beyond decoding, or warned of, in words.

    Raises:
        UnreadableImage: truncated, of another format, suspiciously large, or with values that are no greys.
    """
    notes: list[str] = []
    with collected() as warned:
        image = _decoded(data, notes)
    return image, (*notes, *warned)


def _decoded(data: bytes, notes: list[str]) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_formats(data)) as image:
            orientation = _orientation(image)
            if data.count(b"\xff\xda") > SCANS and _scans(data) > SCANS:
                raise UnreadableImage(f"it has more than {SCANS} scans")
            image.load()  # of a TIFF, this turns the picture and drops the tag
            return _plain(image, orientation, notes)
    except UnidentifiedImageError:
        raise UnreadableImage(f"it is no image of a format that is read ({', '.join(FORMATS)})") from None
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # decoders meet damaged files with all kinds of errors
        raise UnreadableImage(re.sub(r" ?<[^>]* at 0x[0-9a-f]+>", "", first_line(error))) from None


def plain(image: Image) -> tuple[Image, tuple[str, ...]]:
    """Return an image that Pillow has opened as `decode` would its file, and what was done to it, in words.

    Raises:
        UnreadableImage: its pixels cannot be decoded, or are no greys.
    """
    notes: list[str] = []
    try:
        orientation = _orientation(image)
        image.load()
        return _plain(image, orientation, notes), tuple(notes)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # decoders meet damaged files with all kinds of errors
        raise UnreadableImage(first_line(error)) from None


def _plain(image: Image, orientation: int, notes: list[str]) -> Image:
    """Return a decoded image as 8-bit RGB, upright; *orientation* is that of before it was decoded."""
    from PIL import Image as images

    picture = image.transpose(images.Transpose[TURNS[left]]) if (left := _orientation(image)) in TURNS else image
    if orientation in TURNS:
        notes.append(f"turned upright (orientation {orientation})")
    if picture.mode.startswith(DEEP):
        picture = _scaled(picture, notes)
    elif picture.has_transparency_data:
        picture = _on_white(picture, notes)
    return picture.convert("RGB")


def _scans(data: bytes) -> int:
    """Return how many scans the first picture of a JPEG has; what else lies in its file may look like some."""
    position, scans = 2, 0
    while marker := _MARKER.search(data, position):
        position = marker.end()
        if marker[1] == b"\xd9" or not data.startswith(b"\xff\xd8"):
            break
        scans += marker[1] == b"\xda"
        position += int.from_bytes(data[position : position + 2])
    return scans


def _orientation(image: Image) -> int:
    """Return what EXIF says of how to turn the picture; 1, not at all, where it is damaged."""
    if image.format == "PNG":  # asked for EXIF, Pillow decodes one first, and its error would be taken for one of EXIF
        image.load()
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # of Pillow's reader of EXIF, which meets damaged data with all kinds of errors
        return 1


def is_heic(data: bytes) -> bool:
    """Whether bytes are an HEIC or HEIF picture, as iPhones write them; an AVIF picture may begin like one."""
    brands = {data[i : i + 4] for i in range(8, min(int.from_bytes(data[:4]), len(data), 256), 4)}
    return data[4:8] == b"ftyp" and b"avif" not in brands and not brands.isdisjoint(HEIC_BRANDS)


@cache
def reads_heic() -> bool:
    """Whether the extra that reads HEIC is installed; if so, Pillow can decode it from now on."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def _formats(data: bytes) -> tuple[str, ...]:
    """Return the formats that may be decoded; for HEIC that is what the extra brings."""
    if not is_heic(data):
        return _known_formats()
    if not reads_heic():
        raise UnreadableImage(f"it is HEIC: {HEIC_REMEDY}")
    return ("HEIF",)


@cache
def _known_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that this Pillow decodes: AVIF came with 11.3."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _on_white(image: Image, notes: list[str]) -> Image:
    from PIL import Image as images

    notes.append("white behind transparent parts")
    layer = image.convert("RGBA")
    white = images.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return white


def _scaled(image: Image, notes: list[str]) -> Image:
    """Return deep greys as 8-bit greys."""
    import numpy as np
    from PIL import Image as images

    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise UnreadableImage("its grey values are negative or no numbers")
    most = values.max(initial=0)
    tops = FLOATS if image.mode == "F" else tuple(2.0**bits - 1 for bits in BITS)
    white = next((top for top in tops if most <= top), None)
    if white is None:
        raise UnreadableImage(f"its grey values reach {most:g}; expected {tops[-1]:g} at most")
    notes.append(f"greys scaled (white is {white:g})")
    return images.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
