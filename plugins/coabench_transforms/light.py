"""What light and film do to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform, TransformRequest


class Grey(Transform):
    """Takes the colour away: three equal channels of the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)."""

    keeps_places = True

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.convert("L").convert("RGB")


class Brightness(Transform):
    """Multiplies the light, as a longer or shorter exposure does; what is brighter than white is clipped.

    Pixels are made proportional to light and back with the transfer function of sRGB (IEC 61966-2-1).
    """

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*factor*: of the light; 0.5 is an exposure half as long, one stop less."""

        factor: Annotated[float, between(0, 16)] = 0.5

    def __init__(self, request: TransformRequest) -> None:
        factor: float = request.options.factor
        self._table = [round(255 * _to_srgb(min(1.0, factor * _to_light(value / 255)))) for value in range(256)]

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.point(self._table * 3)


def _to_light(value: float) -> float:
    """Return the light of an sRGB value, both from 0 to 1."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _to_srgb(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)
