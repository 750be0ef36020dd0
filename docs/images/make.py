"""Draws ``conditions.jpg``: a synthetic face under every transform and severity. ``python docs/images/make.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from coabench.inference.loading import read_image
from coabench.registry.catalog import find_dataset
from coabench.registry.loader import get_plugins
from coabench.registry.transforms import find_transform
from coabench.transform import Subject, TransformRequest

FACE, SPLIT = "synthface-basic/basic_test_00003", "test"


LEFT, HEAD, SIDE, GAP, COLUMNS = 92, 16, 100, 4, 2


def draw() -> Image.Image:
    """Return the sheet: a row per transform, in two columns; after the name come the severities."""
    samples = find_dataset("synthface-basic").open(None).samples(SPLIT)
    sample = next(each for each in samples if each.id == FACE)
    face = read_image(sample.image).image
    names = [name for name in get_plugins().transforms if not name.startswith("random-")]
    rows = -(-len(names) // COLUMNS)
    wide, high = LEFT + 5 * (SIDE + GAP), SIDE + GAP
    sheet = Image.new("RGB", (COLUMNS * wide, HEAD + rows * high), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, name in enumerate(names):
        left, top = number // rows * wide, HEAD + number % rows * high
        pen.text((left + 4, top + SIDE // 2 - 8), name, (0, 0, 0), font)
        for severity in range(1, 6):
            at = left + LEFT + (severity - 1) * (SIDE + GAP)
            pen.text((at + SIDE // 2 - 3, 1), f"{severity}", (0, 0, 0), font)
            levels = getattr(get_plugins().transforms.find(name).load(), "severities", ())
            if (levels and severity > len(levels)) or (not levels and severity > 1):
                continue
            choice = find_transform(f"{name}:severity={severity}" if levels else name)
            made = choice.registration.open(TransformRequest(choice.options))
            sheet.paste(made.apply(face, Subject(sample.id, 0, sample.landmarks)), (at, top))
    return sheet


if __name__ == "__main__":
    file = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("conditions.jpg")
    draw().save(file, quality=80, optimize=True)
