"""Tiny images, drawn when they are needed, and a data set of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.dataset import Card, Check, Dataset, Sample
from coabench.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

_DRAWN = {  # emotion -> how far the corners of the mouth go up, how open mouth and eyes are, how the brows slant
    "Surprise": (0.0, 0.9, 1.0, 0.3),
    "Fear": (-0.3, 0.5, 0.9, -0.5),
    "Disgust": (-0.5, 0.2, 0.3, 0.6),
    "Happiness": (0.9, 0.3, 0.5, 0.0),
    "Sadness": (-0.8, 0.0, 0.4, -0.9),
    "Anger": (-0.5, 0.1, 0.5, 0.9),
    "Neutral": (0.0, 0.0, 0.6, 0.0),
}


def draw_face(emotion: str, person: int = 0, size: int = 48) -> Image:
    """Return a drawn face, RGB, *size* pixels square. The same arguments give the same pixels.

    Args:
        emotion: one of the seven basic emotions; any other is drawn as neutral.
        person: shifts colours and proportions a little.
    """
    from PIL import Image, ImageDraw

    up, mouth, eyes, slant = _DRAWN.get(emotion, _DRAWN["Neutral"])
    s, shift = size / 48, person % 5 - 2
    image = Image.new("RGB", (size, size), (40 + 17 * (person % 7), 60, 90))
    draw = ImageDraw.Draw(image)
    draw.ellipse((6 * s, 3 * s, 42 * s, 46 * s), fill=(235 - 9 * (person % 11), 200 - 8 * (person % 9), 160))
    for side in (-1, 1):
        x, y = 24 * s + side * (8 + 0.4 * shift) * s, 19 * s
        height = (0.6 + 2.6 * eyes) * s
        draw.ellipse((x - 3 * s, y - height, x + 3 * s, y + height), fill="white")
        draw.ellipse((x - 1.4 * s, y - 1.4 * s, x + 1.4 * s, y + 1.4 * s), fill=(30, 20, 20))
        inner, outer = y - (6 - 2.5 * slant) * s, y - (6 + 1.5 * slant) * s
        draw.line((x - side * 3 * s, inner, x + side * 4 * s, outer), fill=(60, 35, 20), width=max(1, round(1.6 * s)))
    corner, middle, gap = (35 - 4 * up) * s, (35 + 2 * up) * s, 5 * mouth * s
    upper = [(15 * s, corner), (24 * s, middle - gap / 2), (33 * s, corner)]
    draw.polygon([*upper, (24 * s, middle + gap + s)], fill=(130, 30, 40))
    return image


def tiny_images(count: int = 5) -> list[Image]:
    """Return *count* RGB images that differ: drawn faces, a flat one, one much wider than high."""
    from PIL import Image

    emotions = list(_DRAWN)
    unusual = [Image.new("RGB", (40, 40), (250, 250, 250)), Image.new("RGB", (60, 20), (10, 120, 30))]
    faces = [draw_face(emotions[i % len(emotions)], i) for i in range(count)]
    return [*faces[: max(count - 2, 1)], *unusual][:count]


@cache
def _encoded(emotion: str, person: int) -> bytes:
    file = io.BytesIO()
    draw_face(emotion, person).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Picture:
    """A drawn face as the image of a sample, in memory."""

    name: str
    emotion: str
    person: int = 0

    def read(self) -> bytes:
        return _encoded(self.emotion, self.person)

    def size(self) -> int:
        return len(self.read())


class Pictures(Dataset):
    """Drawn faces, two of each label in ``test`` and in ``train``; a compound wears its first emotion."""

    needs_root = False

    def __init__(self, card: Card, root: Path | None, options: Dataset.Options) -> None:
        self.card = card

    def samples(self, split: str) -> Sequence[Sample]:
        if split not in self.card.splits:
            raise UserError(
                f"there is no split {split!r}", expected=", ".join(self.card.splits), remedy="choose another --split"
            )
        first = 0 if split == "test" else 100
        space = self.card.space
        return [
            Sample(
                f"{self.card.name}/{split}_{i:03}",
                Picture(f"{split}_{i:03}.png", (space.pair_of(target) or (target,))[0], first + i),
                target,
                split,
            )
            for i, target in enumerate(space.names * 2)
        ]

    def verify(self) -> list[Check]:
        return [Check("ok", "drawn when they are needed")]
