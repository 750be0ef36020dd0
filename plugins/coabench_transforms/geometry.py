"""What a camera that is held or cut otherwise does to a picture.

Places that the original does not show get the mean colour of its outermost pixels, which is about that of the
background: neither black corners, nor a face repeated by reflection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image as pil
from PIL import ImageOps
from PIL.Image import Image, Resampling

from coabench.base.schema import between
from coabench.transform import Subject, Transform

EDGE = 2
"""So many pixels of the fill around a picture let its edge be as smooth as the rest when it is turned."""


class Rotate(Transform):
    """Turns the image about its middle."""

    @dataclass(frozen=True)
    class Options:
        """*degrees*: anticlockwise."""

        degrees: Annotated[float, between(-180, 180)] = 15.0

    severities = tuple(map(Options, (5.0, 10.0, 20.0, 30.0, 45.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        fill = around(image)
        wide = ImageOps.expand(image, EDGE, fill)
        turned = wide.rotate(self.options.degrees, Resampling.BICUBIC, fillcolor=fill)
        return ImageOps.crop(turned, EDGE)


class Shift(Transform):
    """Moves the image by whole pixels, in a direction that is drawn for every sample."""

    varies = True

    @dataclass(frozen=True)
    class Options:
        """*percent*: how far, of the shorter side."""

        percent: Annotated[float, between(0, 100)] = 10.0

    severities = tuple(map(Options, (5.0, 10.0, 15.0, 20.0, 30.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        direction = subject.random().uniform(0, 2 * math.pi)
        far = self.options.percent / 100 * min(image.size)
        made = pil.new("RGB", image.size, around(image))
        made.paste(image, (round(far * math.cos(direction)), round(far * math.sin(direction))))
        return made


class MarginIn(Transform):
    """Cuts the same part off all four sides and enlarges the rest: a tighter crop."""

    @dataclass(frozen=True)
    class Options:
        """*percent*: of width and height, cut off at each side."""

        percent: Annotated[float, between(0, 45)] = 10.0

    severities = tuple(map(Options, (4.0, 8.0, 12.0, 16.0, 20.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        x, y = (side * self.options.percent / 100 for side in image.size)
        return image.resize(image.size, Resampling.BICUBIC, box=(x, y, image.width - x, image.height - y))


class MarginOut(Transform):
    """Makes the image smaller within its own size, with a margin around it: a wider crop of an empty scene."""

    @dataclass(frozen=True)
    class Options:
        """*percent*: of width and height of the image as it was, added at each side."""

        percent: Annotated[float, between(0, 200)] = 25.0

    severities = tuple(map(Options, (10.0, 25.0, 50.0, 75.0, 100.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        part = 1 / (1 + 2 * self.options.percent / 100)
        small = image.resize([max(1, round(side * part)) for side in image.size], Resampling.BICUBIC)
        made = pil.new("RGB", image.size, around(image))
        made.paste(small, ((image.width - small.width) // 2, (image.height - small.height) // 2))
        return made


def around(image: Image) -> tuple[int, int, int]:
    """Return the mean colour of the outermost pixels."""
    values = np.asarray(image)
    sides = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    red, green, blue = (round(float(mean)) for mean in sides.mean(axis=0))
    return red, green, blue
