"""What is drawn by chance, to augment trainings: an expression stays what it is, whatever these do to its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from PIL import ImageEnhance, ImageFilter, ImageOps, ImageStat
from PIL.Image import Image, Resampling

from coabench.base.schema import between
from coabench.transform import Subject, Transform

Chance = Annotated[float, between(0, 1)]
SMALLEST, FLATTEST = 0.02, 0.3
"""Of what is erased: the least part of the area, and of the height the width; Zhong et al. 2017 (arXiv 1708.04896)."""


class RandomFlip(Transform):
    """Exchanges left and right."""

    varies = True

    @dataclass(frozen=True)
    class Options:
        """*p*: how likely."""

        p: Chance = 0.5

    def apply(self, image: Image, subject: Subject) -> Image:
        return ImageOps.mirror(image) if subject.random().random() < self.options.p else image.copy()


class RandomCrop(Transform):
    """Shows a part of the image, of its shape and anywhere in it, as large as the image: nearer, and shifted."""

    varies = True

    @dataclass(frozen=True)
    class Options:
        """*strength*: the part of width and height that is cut off at most."""

        strength: Annotated[float, between(0, 0.9)] = 0.15

    def apply(self, image: Image, subject: Subject) -> Image:
        draw = subject.random()
        part = 1 - draw.uniform(0, self.options.strength)
        left, top = (draw.uniform(0, (1 - part) * side) for side in image.size)
        right, bottom = (min(side, at + part * side) for side, at in zip(image.size, (left, top), strict=True))
        return image.resize(image.size, Resampling.BICUBIC, box=(left, top, right, bottom))


class RandomColour(Transform):
    """Changes brightness, contrast and saturation, each by a factor of its own."""

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*strength*: how far from 1 the factors lie at most."""

        strength: Chance = 0.2

    def apply(self, image: Image, subject: Subject) -> Image:
        draw = subject.random()
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(1 + draw.uniform(-self.options.strength, self.options.strength))
        return image


class RandomGrey(Transform):
    """Takes the colour away, as `coabench_transforms.light.Grey` does."""

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*p*: how likely."""

        p: Chance = 0.1

    def apply(self, image: Image, subject: Subject) -> Image:
        return image.convert("L").convert("RGB") if subject.random().random() < self.options.p else image.copy()


class RandomBlur(Transform):
    """Blurs the image with a Gaussian, as `coabench_transforms.filters.Blur` does."""

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*sigma*: the largest standard deviation, in pixels of the image; *p*: how likely."""

        sigma: Annotated[float, between(0, 100)] = 1.0
        p: Chance = 0.5

    def apply(self, image: Image, subject: Subject) -> Image:
        draw = subject.random()
        if draw.random() >= self.options.p:
            return image.copy()
        return image.filter(ImageFilter.GaussianBlur(draw.uniform(0, self.options.sigma)))


class RandomErasing(Transform):
    """Covers a rectangle with the mean colour of the image (Zhong et al. 2017, arXiv 1708.04896)."""

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*area*: the largest part of the image that is covered; *p*: how likely."""

        area: Annotated[float, between(SMALLEST, 1)] = 0.2
        p: Chance = 0.25

    def apply(self, image: Image, subject: Subject) -> Image:
        draw, erased = subject.random(), image.copy()
        if draw.random() >= self.options.p:
            return erased
        area = draw.uniform(SMALLEST, self.options.area) * image.width * image.height
        ratio = math.exp(draw.uniform(math.log(FLATTEST), -math.log(FLATTEST)))
        width, height = (max(1, round(math.sqrt(area * by))) for by in (1 / ratio, ratio))
        width, height = min(width, image.width), min(height, image.height)
        left, top = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
        mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
        erased.paste(mean, (left, top, left + width, top + height))
        return erased
