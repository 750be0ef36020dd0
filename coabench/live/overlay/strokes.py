"""Boxes, lines and plates on a picture (RGB, uint8, height × width × 3), which is changed. Nothing leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from coabench.detector import Box
from coabench.live.overlay.colours import BACK, Colour
from coabench.support.opencv import opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Style = Literal["solid", "dashed", "dotted"]
DASHES: dict[Style, int] = {"dashed": 5, "dotted": 1}
"""How many times longer than thick a dash is; as long are the gaps between."""


def outline(canvas: Pixels, box: Box, colour: Colour, thick: int, style: Style = "solid") -> None:
    """Draw a box with a dark rim, which makes it visible on any background."""
    height, width = canvas.shape[:2]
    left, top, right, bottom = (
        max(min(box[0], width - 1), 0),
        max(min(box[1], height - 1), 0),
        max(min(box[2], width), 1),
        max(min(box[3], height), 1),
    )
    for rim, paint in ((1, BACK), (0, colour)):
        t = thick + rim
        edges = [
            (slice(max(top - rim, 0), top + t), slice(max(left - rim, 0), right + rim)),
            (slice(max(bottom - t, 0), bottom + rim), slice(max(left - rim, 0), right + rim)),
            (slice(max(top - rim, 0), bottom + rim), slice(max(left - rim, 0), left + t)),
            (slice(max(top - rim, 0), bottom + rim), slice(max(right - t, 0), right + rim)),
        ]
        for rows, columns in edges:
            part = canvas[rows, columns]
            if style == "solid" or rim:
                part[:] = paint
                continue
            along = 1 if part.shape[1] >= part.shape[0] else 0
            dash = max(2, DASHES[style] * thick)
            for start in range(0, part.shape[along], 2 * dash):
                index: Any = (slice(None),) * along + (slice(start, start + dash),)
                part[index] = paint


def line(canvas: Pixels, ends: tuple[tuple[int, int], tuple[int, int]], colour: Colour, thick: int) -> None:
    """Draw a line with a dark rim, and a dot at its second end."""
    cv2 = opencv()
    for rim, paint in ((2, BACK), (0, colour)):
        cv2.line(canvas, *ends, paint, thick + rim, cv2.LINE_AA)
        cv2.circle(canvas, ends[1], 2 * thick + rim // 2, paint, -1, cv2.LINE_AA)


def paste(canvas: Pixels, plate: Pixels, left: int, top: int) -> Box:
    """Blend a plate (RGB and coverage) into the canvas, cut off where it is too large; return where it is."""
    height, width = canvas.shape[:2]
    left, top = min(max(left, 0), width), min(max(top, 0), height)
    right, bottom = min(left + plate.shape[1], width), min(top + plate.shape[0], height)
    part, piece = canvas[top:bottom, left:right], plate[: bottom - top, : right - left]
    cover = piece[..., 3:].astype("uint16")
    part[:] = (piece[..., :3] * cover + part * (255 - cover) + 127) // 255
    return left, top, right, bottom
