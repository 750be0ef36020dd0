"""Windows that cover parts of an image, and maps of what covering them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt

from coabench.base.schema import Number, between

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 48
"""The rows and columns of a map, whatever the size of the image."""

Fill = Literal["mean", "grey", "blur"]
Map = npt.NDArray[np.float64]
"""Shape (`SIDE`, `SIDE`), rows from the top."""


@dataclass(frozen=True)
class Windows:
    """Which windows cover an image, one after the other.

    Attributes:
        size: the sides, in parts of the image's width and height.
        overlap: the part of a side that neighbours share, from 0 up to 0.9.
        fill: ``mean``, the image's mean colour; ``grey``, 128; ``blur``, the image itself, blurred by a Gaussian with
            σ = a sixteenth of the longer side.
    """

    size: Annotated[Number, between(0.02, 1)] = 0.25
    overlap: Annotated[Number, between(0, 0.9)] = 0.5
    fill: Fill = "mean"

    def boxes(self) -> list[tuple[float, float, float, float]]:
        """Return left, top, right, bottom of every window within 0…1; the outer ones touch the edges."""
        steps = round((1 - self.size) / (self.size * (1 - self.overlap))) + 1
        starts = np.linspace(0, 1 - self.size, max(steps, 2 if self.size < 1 else 1)).tolist()
        return [(x, y, x + self.size, y + self.size) for y in starts for x in starts]

    def cover(self, image: Image) -> list[Image]:
        """Return copies of an image, each with one window covered."""
        filling = background(image, self.fill)
        return [_pasted(image, filling, box) for box in self.boxes()]

    def map(self, drops: Sequence[float]) -> Map:
        """Return, at every place, the mean drop over the windows that covered it.

        Source: M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
        section 4.2, whose grey square has one value a position; the mean is for windows that overlap.

        Args:
            drops: of every window, in the order of `boxes`.
        """
        total, covered = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
        for (left, top, right, bottom), drop in zip(self.boxes(), drops, strict=True):
            rows, columns = _cells(top, bottom), _cells(left, right)
            total[rows, columns] += drop
            covered[rows, columns] += 1
        return total / np.maximum(covered, 1)


def background(image: Image, fill: Fill) -> Image:
    """Return what stands in a covered window's place, for the whole image."""
    from PIL import Image as Images
    from PIL import ImageFilter

    if fill == "blur":
        return image.filter(ImageFilter.GaussianBlur(max(image.size) / 16))
    pixels = np.asarray(image).reshape(-1, 3)
    colour = (128, 128, 128) if fill == "grey" else tuple(round(x) for x in pixels.mean(axis=0))
    return Images.new("RGB", image.size, colour)


def cover_cells(image: Image, filling: Image, covered: npt.NDArray[np.bool_]) -> Image:
    """Return a copy with the true cells of a grid covered.

    Args:
        covered: shape (n, n) over the whole image, rows from the top.
    """
    from PIL import Image as Images

    mask = Images.fromarray(covered.astype(np.uint8) * 255).resize(image.size, Images.Resampling.NEAREST)
    return Images.composite(filling, image, mask)


def _cells(start: float, end: float) -> slice:
    first = round(start * SIDE)
    return slice(first, max(round(end * SIDE), first + 1))


def _pasted(image: Image, filling: Image, box: tuple[float, float, float, float]) -> Image:
    (width, height), (left, top, right, bottom) = image.size, box
    pixels = round(left * width), round(top * height), round(right * width), round(bottom * height)
    copy = image.copy()
    copy.paste(filling.crop(pixels), pixels[:2])
    return copy
