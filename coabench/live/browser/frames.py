"""A frame as it comes from a browser: decoded under limits, since anybody may send anything."""

from __future__ import annotations

import io
import math
import struct
import warnings
from dataclasses import dataclass

from coabench.detector import Pixels
from coabench.errors import UserError

HEAD = struct.Struct(">Id")
"""What a message begins with: the frame's number, and when it was taken by the viewer's clock in milliseconds."""
MAX_BYTES = 512 * 1024
"""A page sends some 50 KB; ten times that is no camera picture of the size asked for."""
MAX_PIXELS = 1280 * 1280
JPEG = b"\xff\xd8\xff"


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
        BadFrame: it is none, or is larger than the limits.
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

    if not data.startswith(JPEG):
        raise BadFrame("a frame is no JPEG", number, "a JPEG file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in a file that a stranger may have made
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:  # reads the head only
                width, height = image.size
                if width * height > MAX_PIXELS:
                    found = f"{width} × {height}"
                    raise BadFrame("a frame has too many pixels", number, f"{MAX_PIXELS} at most", found)
                return np.array(image.convert("RGB"))
    except BadFrame:
        raise
    except Exception as error:  # decoders meet damaged files with all kinds of errors
        raise BadFrame("a frame cannot be decoded", number, "a JPEG file", type(error).__name__) from None
