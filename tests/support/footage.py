"""Something like a video: a camera that pans, zooms and rolls over a public-domain photograph, in changing light.

python -m support.footage FOLDER     # from tests/: writes the frames as PNG, to be looked at
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, radians, sin
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PHOTOGRAPH = Path(__file__).with_name("photograph") / "astronaut.jpg"
FACE = (180, 63, 269, 175)
"""The face's box in the photograph: left, top, right, bottom."""


@dataclass(frozen=True)
class Shot:
    """One frame: RGB, uint8, (height, width, 3); its time in seconds; the true box of its face, roll left out."""

    frame: NDArray[np.uint8]
    time: float
    face: tuple[float, float, float, float]


def photograph() -> NDArray[np.uint8]:
    """Return the photograph, (512, 512, 3)."""
    with Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB"))


def film(count: int = 100, width: int = 640, height: int = 480, per_second: float = 10.0) -> Iterator[Shot]:
    """Yield *count* shots: zoom 0.6 to 2.2, roll -15° to 15°, brightness 0.45 to 1.4, the face wandering about."""
    photo = Image.fromarray(photograph())
    middle = ((FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2)
    half = ((FACE[2] - FACE[0]) / 2, (FACE[3] - FACE[1]) / 2)
    for number in range(count):
        phase = 2 * pi * number / count
        zoom = 1.4 - 0.8 * cos(2 * phase)
        roll = radians(15) * sin(3 * phase)
        light = 0.925 + 0.475 * sin(5 * phase)
        x = width * (0.5 + 0.25 * sin(phase))
        y = height * (0.5 + 0.12 * sin(2 * phase))
        a, b = cos(roll) / zoom, sin(roll) / zoom
        matrix = (a, b, middle[0] - a * x - b * y, -b, a, middle[1] + b * x - a * y)
        seen = photo.transform(
            (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor="grey"
        )
        frame = np.clip(np.asarray(seen, np.float32) * light, 0, 255).astype(np.uint8)
        box = (x - half[0] * zoom, y - half[1] * zoom, x + half[0] * zoom, y + half[1] * zoom)
        yield Shot(frame, number / per_second, box)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, shot in enumerate(film()):
        Image.fromarray(shot.frame).save(folder / f"{number:03}.png")
