"""What optics do to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from PIL import ImageFilter, ImageOps
from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform, TransformRequest


class Blur(Transform):
    """Blurs the image with a Gaussian, as Pillow approximates it by three box filters."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*sigma*: the standard deviation of the Gaussian, in pixels of the image."""

        sigma: Annotated[float, between(0, 100)] = 2.0

    def __init__(self, request: TransformRequest) -> None:
        self._sigma: float = request.options.sigma

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.filter(ImageFilter.GaussianBlur(self._sigma))


class Mirror(Transform):
    """Exchanges left and right. Expressions are the same in a mirror, so that answers should be."""

    def __init__(self, request: TransformRequest) -> None:
        pass

    def apply(self, image: Image, subject: Subject) -> Image:
        return ImageOps.mirror(image)
