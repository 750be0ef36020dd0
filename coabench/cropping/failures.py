"""The contact sheet of pictures without a face that could be cut out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from coabench.dataset import Sample
from coabench.errors import SampleError
from coabench.inference.loading import read_image

SIDE, COLUMNS, MOST = 160, 6, 120


def write_sheet(path: Path, samples: Sequence[Sample], reasons: Mapping[str, str]) -> Path:
    """Write small copies of the first `MOST` pictures, each with its name and the reason; return the path."""
    from PIL import Image, ImageDraw

    shown = samples[:MOST]
    sheet = Image.new("RGB", (min(COLUMNS, len(shown)) * SIDE, -(-len(shown) // COLUMNS) * (SIDE + 30)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, sample in enumerate(shown):
        x, y = number % COLUMNS * SIDE, number // COLUMNS * (SIDE + 30)
        try:
            image = read_image(sample.image).image
            image.thumbnail((SIDE - 4, SIDE - 4))
            sheet.paste(image, (x, y))
        except SampleError:
            pen.rectangle((x, y, x + SIDE - 6, y + SIDE - 6), outline="grey")
        for line, text in enumerate((sample.image.name[-24:], reasons[sample.image.name][:24])):
            pen.text((x, y + SIDE + 12 * line), text.encode("ascii", "replace").decode(), fill="black")
    sheet.save(path)
    return path
