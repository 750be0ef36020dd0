"""What hides a part of a picture: patches in the mean colour of the image, placed by chance or by the face."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

from PIL import ImageStat
from PIL.Image import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform
from coabench_transforms.face import BEYOND, Face, Shape, box, cover

Percent = Annotated[float, between(0, 200)]
Level = Annotated[float, between(-100, 300)]


class Patch(Transform):
    """Covers a square, which lies anywhere in the image."""

    keeps_places = True
    varies = True

    @dataclass(frozen=True)
    class Options:
        """*area*: of the image, percent; where the square would be larger than a side, it is less."""

        area: Annotated[float, between(0, 100)] = 10.0

    severities = tuple(map(Options, (5.0, 10.0, 15.0, 20.0, 30.0)))

    def apply(self, image: Image, subject: Subject) -> Image:
        draw, covered = subject.random(), image.copy()
        wanted = math.sqrt(self.options.area / 100 * image.width * image.height)
        width, height = (min(side, round(wanted)) for side in image.size)
        left, top = (round(draw.random() * room) for room in (image.width - width, image.height - height))
        covered.paste(mean(image), (left, top, left + width, top + height))
        return covered


class _Covers(Transform):
    """Covers a part of the face, placed by landmarks; sizes are in percent of the way from the eyes to the mouth."""

    keeps_places = True

    @abstractmethod
    def shape(self) -> Shape:
        """Return what is covered, in the coordinates of `coabench_transforms.face.Face`."""

    def apply(self, image: Image, subject: Subject) -> Image:
        return cover(image, Face.of(subject), [self.shape()], mean(image))


class Eyes(_Covers):
    """Covers both eyes with one bar, the brows too where it is high enough."""

    @dataclass(frozen=True)
    class Options:
        """*height*: of the bar."""

        height: Percent = 50.0

    severities = tuple(map(Options, (20.0, 35.0, 50.0, 75.0, 100.0)))

    def shape(self) -> Shape:
        half = self.options.height / 200
        return box(-1.0, -half, 1.0, half)


class Mouth(_Covers):
    """Covers the mouth with a bar."""

    @dataclass(frozen=True)
    class Options:
        """*height*: of the bar."""

        height: Percent = 50.0

    severities = tuple(map(Options, (20.0, 35.0, 50.0, 65.0, 80.0)))

    def shape(self) -> Shape:
        half = self.options.height / 200
        return box(-0.75, 1 - half, 0.75, 1 + half)


class Upper(_Covers):
    """Covers everything above a line across the face."""

    @dataclass(frozen=True)
    class Options:
        """*to*: where the line lies: 0 is at the eyes, 50 about the tip of the nose, 100 at the mouth."""

        to: Level = 50.0

    severities = tuple(map(Options, (-40.0, -15.0, 10.0, 30.0, 50.0)))

    def shape(self) -> Shape:
        return box(-BEYOND, -BEYOND, BEYOND, self.options.to / 100)


class Lower(_Covers):
    """Covers everything below a line across the face."""

    @dataclass(frozen=True)
    class Options:
        """*since*: where the line lies, on the scale of `Upper`."""

        since: Level = 50.0

    severities = tuple(map(Options, (130.0, 110.0, 90.0, 70.0, 50.0)))

    def shape(self) -> Shape:
        return box(-BEYOND, self.options.since / 100, BEYOND, BEYOND)


def mean(image: Image) -> tuple[int, int, int]:
    """Return the mean colour of an image."""
    red, green, blue = (round(value) for value in ImageStat.Stat(image).mean)
    return red, green, blue
