"""What people wear on their faces, drawn by landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform
from coabench_transforms.face import Face, Shape, box, cover

LENS, FRAME = (0.40, 0.27), (0.45, 0.32)
"""Half the width and height of a lens and of the frame around it."""
BLACK, CLOTH = (12, 12, 14), (168, 199, 214)
STEPS = 48
"""Corners of a round shape."""


class Sunglasses(Transform):
    """Puts on sunglasses: two dark lenses in a black frame."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*transmittance*: percent of the pixels' values that passes the lenses."""

        transmittance: Annotated[float, between(0, 100)] = 15.0

    severities = tuple(map(Options, (60.0, 40.0, 20.0, 8.0, 0.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        face = Face.of(subject)
        lenses, frames = ([_lens(side, size) for side in (-0.5, 0.5)] for size in (LENS, FRAME))
        worn = cover(image, face, [*frames, box(-0.12, -0.10, 0.12, -0.02), *_temples()], BLACK)
        worn.paste(image, mask=_within(image, face, lenses))
        return cover(worn, face, lenses, BLACK, 1 - self.options.transmittance / 100)


class Mask(Transform):
    """Puts on a surgical mask, worn as high as it is said."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*top*: where it ends above, percent of the way from the mouth up to the eyes: 0 is at the mouth."""

        top: Annotated[float, between(-50, 100)] = 65.0

    severities = tuple(map(Options, (-25.0, 0.0, 20.0, 45.0, 65.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        face = Face.of(subject)
        cloth, side = _cloth(1 - self.options.top / 100)
        straps = [[(x, side), (x, side + 0.07), (1.35 * sign, 0.12), (1.35 * sign, 0.05)] for sign in (-1, 1)
                  for x in (0.80 * sign,)]  # fmt: skip
        return cover(image, face, [cloth, *straps], CLOTH)


def _within(image: Image, face: Face, shapes: list[Shape]) -> Image:
    """Return how much of every pixel lies within the shapes, as an image of one channel."""
    from PIL import Image as pil

    return cover(pil.new("RGB", image.size), face, shapes, (255, 255, 255)).getchannel(0)


def _lens(middle: float, half: tuple[float, float]) -> Shape:
    """Return a superellipse of exponent 3: rounder than a box, squarer than an ellipse."""
    turns = [2 * math.pi * step / STEPS for step in range(STEPS)]
    return [
        (middle + half[0] * _bent(math.cos(turn)), 0.04 + half[1] * _bent(math.sin(turn))) for turn in turns
    ]  # fmt: skip


def _bent(value: float) -> float:
    return math.copysign(abs(value) ** (2 / 3), value)


def _temples() -> list[Shape]:
    """Return the arms from the frame to the ears."""
    return [[(0.9 * sign, -0.14), (0.9 * sign, -0.02), (1.3 * sign, 0.0), (1.3 * sign, -0.08)] for sign in (-1, 1)]


def _cloth(top: float) -> tuple[Shape, float]:
    """Return a mask from *top* down to below the chin, and how far down its upper corners lie."""
    half, side, chin = 0.85, top + 0.15, 1.75
    across = [half * (2 * step / STEPS - 1) for step in range(STEPS + 1)]
    upper = [(x, side - (side - top) * (1 + math.cos(math.pi * x / half)) / 2) for x in across]
    lower = [(half * _bent(math.cos(turn)), side + (chin - side) * _bent(math.sin(turn)))
             for turn in (math.pi * step / STEPS for step in range(STEPS + 1))]  # fmt: skip
    return [*upper, *lower], side
