"""What optics and sensors do to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image as pil
from PIL import ImageFilter, ImageOps
from PIL.Image import Image, Resampling

from coabench.base.schema import between
from coabench.transform import Subject, Transform
from coabench_transforms.length import Length, pixels

GRAINS = 100
"""So many grains of noise lie along the shorter side: the pixels of RAF-DB's aligned faces."""


class Blur(Transform):
    """Blurs the image with a Gaussian, as Pillow approximates it by three box filters."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*sigma*: the standard deviation of the Gaussian, in pixels of the image or, ``1%``, of its shorter side."""

        sigma: Length = 2.0

    severities = tuple(map(Options, ("0.5%", "1%", "1.5%", "2%", "3%")))

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.filter(ImageFilter.GaussianBlur(pixels(self.options.sigma, image)))


class Noise(Transform):
    """Adds Gaussian noise to every channel, in grains of the same size relative to the image.

    `GRAINS` lie along the shorter side, or one a pixel where there are fewer pixels: as if a small noisy picture had
    been enlarged. With a grain a pixel, noise on a photograph would vanish as soon as it is made small for a model.
    """

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*sigma*: the standard deviation, in percent of the range from black to white, of the grains."""

        sigma: Annotated[float, between(0, 100)] = 8.0

    severities = tuple(map(Options, (3.0, 6.0, 10.0, 15.0, 20.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        # RandomState, for its numbers are the same in every release of NumPy (NEP 19)
        drawn = np.random.RandomState(subject.random().getrandbits(32))
        share = min(1.0, GRAINS / min(image.size))
        width, height = (max(1, round(side * share)) for side in image.size)
        made = np.asarray(image, np.float32).copy()
        for channel in range(3):
            grains = pil.fromarray(drawn.standard_normal((height, width)).astype(np.float32))
            made[..., channel] += (
                self.options.sigma / 100 * 255 * np.asarray(grains.resize(image.size, Resampling.BICUBIC))
            )
        return pil.fromarray(np.clip(np.rint(made), 0, 255).astype(np.uint8))


class Mirror(Transform):
    """Exchanges left and right. Expressions are the same in a mirror, so that answers should be."""

    def apply(self, image: Image, subject: Subject) -> Image:
        return ImageOps.mirror(image)
