"""Lengths in an image: in pixels, or in percent of its shorter side, which is the same for a crop and a photograph."""

from __future__ import annotations

from typing import Annotated

from PIL.Image import Image

from coabench.base.schema import Read, Unfit

LONGEST = 100.0


def _read(value: float | str) -> float | str:
    number = value
    if isinstance(value, str):
        try:
            number = float(value.removesuffix("%")) if value.endswith("%") else -1.0
        except ValueError:
            number = -1.0
    if not 0 <= float(number) <= LONGEST:  # which NaN is not
        raise Unfit(f"0 to {LONGEST:g} pixels, or 0% to {LONGEST:g}% of the image's shorter side")
    return value


Length = Annotated[float | str, Read(_read)]
"""``2`` is in pixels, ``1.5%`` in percent of the shorter side."""


def pixels(length: float | str, image: Image) -> float:
    """Return a length in pixels of this image."""
    if isinstance(length, str):
        return float(length.removesuffix("%")) / 100 * min(image.size)
    return length
