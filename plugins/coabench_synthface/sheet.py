"""A contact sheet: every class, a few persons each."""

from __future__ import annotations

from pathlib import Path

from coabench_synthface.assets import data_folder, require_numba
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.expression import COMPOUND
from coabench_synthface.samples import SUBSETS, generator

CAPTION = 18
"""Height of a caption, pixels."""


def draw_sheet(file: Path, *, seed: int, persons: int = 4, difficulty: Difficulty | None = None) -> None:
    """Draw the 18 classes in two columns: basic and compound ones, *persons* pictures of each.

    Raises:
        UserError: the 3-D assets or numba are not installed.
    """
    require_numba()
    data_folder()
    from PIL import Image, ImageDraw

    from coabench_synthface.expression import draw_expression
    from coabench_synthface.person import draw_person
    from coabench_synthface.render import SIZE, render
    from coabench_synthface.scene import draw_scene

    knobs = difficulty or Difficulty()
    labels = [label for labels in SUBSETS.values() for label in labels]
    rows = (len(labels) + 1) // 2
    sheet = Image.new("RGB", (2 * persons * SIZE + CAPTION, rows * (SIZE + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for position, label in enumerate(labels):
        left = (position // rows) * (persons * SIZE + CAPTION)
        top = (position % rows) * (SIZE + CAPTION)
        pen.text((left + 2, top + 4), f"{label}{'' if label in COMPOUND else ' (basic)'}", fill="black")
        for column in range(persons):
            rng = generator(seed, "sheet", label, str(column))
            picture = render(draw_person(rng), draw_expression(label, knobs, rng), draw_scene(knobs, rng), rng)
            sheet.paste(picture, (left + column * SIZE, top + CAPTION))
    sheet.save(file, quality=90)
