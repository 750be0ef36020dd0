"""Defects of transforms, planted, are named; a sound one has none."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from PIL import Image, ImageEnhance
from support.planted import assert_named

from coabench.base.schema import between
from coabench.errors import SampleError
from coabench.testing.transforms import check
from coabench.transform import Subject, Transform, TransformRequest


class Sound(Transform):
    """Turns the image by an angle that is drawn for the sample."""

    @dataclass(frozen=True)
    class Options:
        most: Annotated[float, between(0, 180)] = 10.0

    def __init__(self, request: TransformRequest) -> None:
        self.most: float = request.options.most

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.rotate(subject.random().uniform(-self.most, self.most))


class Refuses(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        if image.width < 10:
            raise SampleError("too small")
        return super().apply(image, subject)


class Divides(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.crop((0, 0, image.width, image.height)) if self.most // (image.width - 1) else image


class Grows(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.rotate(45, expand=True)


class Greys(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.convert("L")


class Paints(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        image.putpixel((0, 0), (1, 2, 3))
        return image.rotate(self.most)


class Rolls(Sound):
    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.rotate(random.uniform(-self.most, self.most))


class Counts(Sound):
    seen = 0

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        self.seen += 1
        return image.rotate(90 * self.seen + self.most)


class Unbounded(Sound):
    @dataclass(frozen=True)
    class Options:
        most: float = 10.0

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return image.point([int(value / self.most) for value in range(256)] * 3)


class Ignores(Sound):
    def __init__(self, request: TransformRequest) -> None:
        pass

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        return ImageEnhance.Contrast(image).enhance(0.5)


class NoApply:
    def __init__(self, request: TransformRequest) -> None:
        pass


@pytest.mark.parametrize("transform", [Sound, Refuses])
def test_a_sound_transform_has_no_defect(transform: Any) -> None:
    assert [str(finding) for finding in check(transform)] == []


@pytest.mark.parametrize(
    ("transform", "defect"),
    [
        (Divides, "fails"), (Grows, "no-image"), (Greys, "no-image"), (Paints, "writes-to-image"),
        (Rolls, "unsteady-pixels"), (Counts, "unsteady-pixels"), (Unbounded, "unbounded-option"),
        (Ignores, "ignored-option"), (NoApply, "no-transform"), (lambda request: 1 / 0, "no-transform"),
    ],
)  # fmt: skip
def test_a_defect_is_named(transform: Any, defect: str) -> None:
    assert_named(check(transform), defect)
