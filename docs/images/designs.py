"""Draws ``controlled-stimuli.jpg``: a row of pictures of each design. ``python docs/images/designs.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from coabench.inference.loading import read_image
from coabench.registry.catalog import find_dataset

ROWS = {
    "intensity": "happily_surprised/intensity",
    "pose": "happily_surprised/yaw",
    "light": "happily_surprised/light_direction",
    "resolution": "happily_surprised/resolution",
    "identity": "sadly_angry/",
    "blends": "happily_surprised/share",
}
LEFT, SIDE, GAP, MOST = 76, 64, 2, 11


def draw() -> Image.Image:
    """Return the sheet: a row of each design, of its first person."""
    sheet = Image.new("RGB", (LEFT + MOST * (SIDE + GAP), len(ROWS) * (SIDE + GAP)), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for row, (design, matched) in enumerate(ROWS.items()):
        pen.text((4, row * (SIDE + GAP) + SIDE // 2 - 8), design, (0, 0, 0), font)
        samples = find_dataset(f"synthface-{design}").open(None).samples("test")
        shown = [s for s in samples if "-0000" in s.attributes["subject"] and f"/{matched}" in s.attributes["stimulus"]]
        for column, sample in enumerate(shown):
            face = read_image(sample.image).image.resize((SIDE, SIDE))
            sheet.paste(face, (LEFT + column * (SIDE + GAP), row * (SIDE + GAP)))
    return sheet


if __name__ == "__main__":
    file = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("controlled-stimuli.jpg")
    draw().save(file, quality=80, optimize=True)
