"""A face's own coordinates, and drawing in them: what covers a face turns, leans and grows with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image as pil
from PIL import ImageDraw
from PIL.Image import Image, Resampling

from coabench.detector import Point
from coabench.errors import SampleError
from coabench.transform import Subject

FINE, LARGEST = 4, 4096
"""A shape is drawn so many times as wide and high, within so many pixels, and reduced: its edges are smooth."""
BEYOND = 20.0
"""So far off, in units of the face, is outside of every picture."""

Shape = Sequence[Point]
"""The corners of a polygon, in the coordinates of a face."""


@dataclass(frozen=True)
class Face:
    """Coordinates of a face: (0, 0) lies between the eyes.

    One to the right is the distance of the eyes, one down is the way from there to the middle of the mouth.
    """

    origin: Point
    right: Point
    down: Point

    @classmethod
    def of(cls, subject: Subject) -> Face:
        """Return those of the face whose landmarks are known.

        Raises:
            SampleError: they are not known, or make no face.
        """
        if subject.landmarks is None:
            raise SampleError("the face's landmarks are not known: --crop finds them, with a detector that states them")
        left, right, _, *mouth = subject.landmarks
        origin, below = _middle(left, right), _middle(*mouth)
        across = (right[0] - left[0], right[1] - left[1])
        down = (below[0] - origin[0], below[1] - origin[1])
        area = across[0] * down[1] - across[1] * down[0]
        if not (math.isfinite(area) and area > 0.05 * math.hypot(*across) * math.hypot(*down) and area > 1):
            raise SampleError("the landmarks make no face: eyes and mouth lie in a line, or on one another")
        return cls(origin, across, down)

    def at(self, x: float, y: float) -> Point:
        """Return a place of the face, in pixels."""
        return tuple(o + x * r + y * d for o, r, d in zip(self.origin, self.right, self.down, strict=True))  # type: ignore[return-value]


def box(left: float, top: float, right: float, bottom: float) -> Shape:
    """Return a rectangle, which leans as the face does."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def cover(image: Image, face: Face, shapes: Iterable[Shape], colour: tuple[int, int, int], opacity: float = 1) -> Image:
    """Return the image with these shapes over it, so opaque: 1 hides everything."""
    fine = max(1, min(FINE, LARGEST // max(image.size)))
    drawn = pil.new("L", (image.width * fine, image.height * fine))
    for shape in shapes:
        ImageDraw.Draw(drawn).polygon(
            [(x * fine - 0.5, y * fine - 0.5) for x, y in (face.at(*place) for place in shape)],
            fill=round(255 * opacity),
        )
    mask = drawn.resize(image.size, Resampling.BOX)
    return pil.composite(pil.new("RGB", image.size, colour), image, mask)


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
