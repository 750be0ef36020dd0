"""A frame as it comes from a browser: decoded under limits, since anybody may send anything."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from coabench.detector import Pixels
from coabench.errors import UserError

HEAD = struct.Struct(">Id")
"""What a message begins with: the frame's number, and when it was taken by the viewer's clock in milliseconds."""
MAX_BYTES = 512 * 1024
"""A page sends some 50 KB; ten times that is no camera picture of the size asked for."""
MAX_PIXELS = 1280 * 1280
MAX_SCANS = 32
"""A browser writes one, encoders of progressive files a dozen. Each makes a decoder visit the whole picture."""
MAX_SEGMENTS = 64
"""Before the first scan, metadata included. A browser writes some ten."""

JPEG = b"\xff\xd8\xff"
SEGMENT = struct.Struct(">BBH")
"""What a segment begins with: 0xFF, its marker, and its length, counted from there."""
SCAN = 0xDA
SIZES = {0xC0, 0xC1, 0xC2}
"""Segments that say the size: of baseline, extended and progressive files. Nobody writes the other kinds."""
DECODED = {SCAN, *SIZES, 0xC4, 0xDB, 0xDD, 0xE0, 0xEE}
"""Segments that a decoder needs: tables, and how colours are stored."""
METADATA = {*range(0xE1, 0xF0), 0xFE} - DECODED
"""EXIF, colour profiles, previews, comments."""


@dataclass(frozen=True)
class Sent:
    """A frame that a viewer sent.

    Attributes:
        number: as the viewer counts.
        captured: milliseconds of the viewer's clock.
        image: RGB, uint8, (height, width, 3).
    """

    number: int
    captured: float
    image: Pixels


class BadFrame(UserError):
    """A message that is no frame; *number* is the frame's, where it could be read."""

    def __init__(self, problem: str, number: int | None = None, expected: str | None = None, found: str | None = None):
        super().__init__(problem, expected=expected, found=found)
        self.number = number


def read_frame(message: bytes) -> Sent:
    """Return the frame in a message: the `HEAD`, then a JPEG file.

    Raises:
        BadFrame: it is none, or exceeds a limit.
    """
    if len(message) < HEAD.size:
        raise BadFrame("a message is too short for a frame", expected="number, time and a JPEG")
    number, captured = HEAD.unpack_from(message)
    if not math.isfinite(captured):
        raise BadFrame("a frame has no time", number, expected="milliseconds")
    data = message[HEAD.size :]
    if len(data) > MAX_BYTES:
        raise BadFrame("a frame is too large", number, f"{MAX_BYTES} bytes at most", f"{len(data)} bytes")
    return Sent(number, captured, _decode(data, number))


def _decode(data: bytes, number: int) -> Pixels:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(_essentials(data, number)), formats=("JPEG",)) as image:
            return np.array(image.convert("RGB"))
    except BadFrame:
        raise
    except Exception as error:  # decoders meet damaged files with all kinds of errors
        raise BadFrame("a frame cannot be decoded", number, "a JPEG file", type(error).__name__) from None


def _essentials(data: bytes, number: int) -> bytes:
    """Return a JPEG file without its metadata; `BadFrame` where decoding it would take long, or is sure to fail.

    Metadata may cost more than the picture: Pillow reads EXIF in Python, entry by entry.
    """
    if not data.startswith(JPEG):
        raise BadFrame("a frame is no JPEG", number, "a JPEG file")
    kept = [data[:2]]
    for marker, start, end in _segments(data, number):
        if marker == SCAN:
            break
        if marker in SIZES:
            height, width = struct.unpack_from(">HH", data, start + 5)
            if width * height > MAX_PIXELS:
                raise BadFrame("a frame has too many pixels", number, f"{MAX_PIXELS} at most", f"{width} × {height}")
        if marker in DECODED:
            kept.append(data[start:end])
    scans = data.count(b"\xff\xda", start)  # within a scan, 0xFF is always followed by 0
    if scans > MAX_SCANS:
        raise BadFrame("a frame has too many scans", number, f"{MAX_SCANS} at most", f"{scans}")
    return b"".join([*kept, data[start:]])


def _segments(data: bytes, number: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG file, to the first scan, which is the last one yielded."""
    start, marker = 2, 0
    for _ in range(MAX_SEGMENTS):
        prefix, marker, length = SEGMENT.unpack_from(data, start)  # struct.error where the file is torn
        if prefix != 0xFF or length < 2 or marker not in DECODED | METADATA:
            raise BadFrame("the head of a frame cannot be read", number, "a JPEG file", f"0x{prefix:02X}{marker:02X}")
        yield marker, start, start + 2 + length
        if marker == SCAN:
            return
        start += 2 + length
    raise BadFrame("a frame has too many segments", number, f"{MAX_SEGMENTS} before its first scan")
