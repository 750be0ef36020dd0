"""What light and film do to a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform, TransformRequest

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Of the light of red, green and blue; ITU-R BT.709."""


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

    severities = tuple(map(Options, (0.5, 0.25, 0.125, 0.0625, 0.03125)))

    def __init__(self, request: TransformRequest) -> None:
        factor: float = request.options.factor
        self._table = _through(lambda light: factor * light)

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.point(self._table * 3)


class Contrast(Transform):
    """Brings the light of every pixel nearer to the image's mean luminance, as haze or a veil of stray light does."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*factor*: of the contrast that is left (RMS contrast of the light); above 1 there is more."""

        factor: Annotated[float, between(0, 4)] = 0.5

    severities = tuple(map(Options, (0.7, 0.5, 0.35, 0.25, 0.15)))

    def apply(self, image: Image, subject: Subject) -> Image:
        counts, lights = image.histogram(), [_to_light(value / 255) for value in range(256)]
        mean, factor = 0.0, self.options.factor
        for channel, weight in enumerate(LUMINANCE):
            own = counts[256 * channel : 256 * (channel + 1)]
            mean += weight * sum(n * light for n, light in zip(own, lights, strict=True)) / sum(own)
        return image.point(_through(lambda light: mean + factor * (light - mean)) * 3)


class Gamma(Transform):
    """Raises the values of every channel, from 0 to 1, to a power: black and white stay, what lies between does not."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*gamma*: the exponent; above 1 darkens the mid-tones, below 1 lightens them."""

        gamma: Annotated[float, between(0.05, 20)] = 2.0

    severities = tuple(map(Options, (1.25, 1.5, 2.0, 2.5, 3.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.point([round(255 * (value / 255) ** self.options.gamma) for value in range(256)] * 3)


def _through(change: Callable[[float], float]) -> list[int]:
    """Return a table of 8-bit sRGB values that does this to the light, from 0 to 1 and clipped to that."""
    lights = (change(_to_light(value / 255)) for value in range(256))
    return [round(255 * _to_srgb(min(1.0, max(0.0, light)))) for light in lights]


def _to_light(value: float) -> float:
    """Return the light of an sRGB value, both from 0 to 1."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _to_srgb(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)
