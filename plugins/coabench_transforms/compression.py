"""What saving and sending a picture does to it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Annotated

from PIL import Image
from PIL.Image import Resampling

from coabench.base.schema import between
from coabench.errors import SampleError
from coabench.registry.options import LATER
from coabench.transform import Subject, Transform

LONGEST = 65_500
"""libjpeg writes no longer sides."""


class Jpeg(Transform):
    """Saves the image as JPEG and reads it again.

    JPEG works in blocks of 8 × 8 pixels, of which a photograph has more than a crop: ``side`` makes them comparable.
    """

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*quality*: of libjpeg's scale, as encoders of pictures have it; colours at half the resolution (4:2:0).

        *side*: the shorter side that the image is saved with, pixels, before it gets its size back; 0 for its own.
        """

        quality: Annotated[int, between(1, 95)] = 50
        side: Annotated[int, between(0, 4096)] = field(default=0, metadata=LATER)

    severities = tuple(map(Options, (50, 30, 20, 10, 5), (224,) * 5))

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        file, sent = io.BytesIO(), image
        if self.options.side:
            sent = image.resize(_scaled(image.size, self.options.side), Resampling.BICUBIC)
        sent.save(file, "JPEG", quality=self.options.quality, subsampling="4:2:0")
        file.seek(0)
        made = Image.open(file).convert("RGB")
        return made.resize(image.size, Resampling.BICUBIC) if self.options.side else made


class Resolution(Transform):
    """Shows no more detail than an image of so many pixels: areas are averaged, as on a sensor, then enlarged again."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*pixels*: of the shorter side; an image that has no more stays as it is."""

        pixels: Annotated[int, between(1, 4096)] = 32

    severities = tuple(map(Options, (64, 48, 32, 24, 16)))

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        if min(image.size) <= self.options.pixels:
            return image.copy()
        small = image.resize(_scaled(image.size, self.options.pixels), Resampling.BOX)
        return small.resize(image.size, Resampling.BICUBIC)


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size of the same shape whose shorter side is *side*."""
    width, height = (max(1, round(each * side / min(size))) for each in size)
    if max(width, height) > LONGEST:
        raise SampleError(f"an image of {size[0]}×{size[1]} pixels is too narrow for a shorter side of {side}")
    return width, height
