"""A frame as it goes to a page: a JPEG of the size that a page sends, too."""

from __future__ import annotations

from typing import Any

from coabench.errors import JobError
from coabench.live.browser.frames import HEAD
from coabench.live.snapshot import Frame
from coabench.support.opencv import opencv

QUALITY = 85
"""Of the JPEG, from 1 to 100."""


def pack(frame: Frame, captured: float, width: int) -> bytes:
    """Return the message: the `HEAD`, with the frame's index and *captured* in milliseconds, then the JPEG.

    Args:
        width: the longer side of the picture at most, in pixels.
    """
    cv2 = opencv()
    picture: Any = frame.image
    scale = width / max(picture.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise JobError("a picture cannot be encoded")
    return HEAD.pack(frame.index, captured) + bytes(data)
