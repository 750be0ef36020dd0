"""What optics do to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from PIL import ImageFilter, ImageOps
from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform


class Blur(Transform):
    """Blurs the image with a Gaussian, as Pillow approximates it by three box filters."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*sigma*: the standard deviation of the Gaussian, in pixels of the image."""

        sigma: Annotated[float, between(0, 100)] = 2.0

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.filter(ImageFilter.GaussianBlur(self.options.sigma))


class Mirror(Transform):
    """Exchanges left and right. Expressions are the same in a mirror, so that answers should be."""

    def apply(self, image: Image, subject: Subject) -> Image:
        return ImageOps.mirror(image)
