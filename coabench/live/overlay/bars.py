"""All options of each scored question as small bars: a column a question, the likeliest option first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from coabench.base.text import safe
from coabench.live.overlay.colours import BACK, QUIET, TEXT, TRACK, Colour
from coabench.live.overlay.fonts import runs
from coabench.live.overlay.plates import OPACITY, SMALLEST, length, plate
from coabench.live.overlay.words import Line
from coabench.live.snapshot import FaceAnswer
from coabench.metrics.calibration import probabilities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.ImageDraw import ImageDraw

    Pixels = NDArray[np.uint8]

MOST = 12
"""Options of a question that have a bar; the others are counted."""
PART = 0.65
"""How large the text beside bars is, of that above."""
LONG = 3.5
"""Of a bar for certainty, in heights of the text."""


@dataclass(frozen=True)
class Column:
    """The options of one question.

    Attributes:
        title: the number of the question and its name.
        rows: option, its probability in whole percents, whether it is the answer; the likeliest first.
        more: how many options have no row.
    """

    title: str
    rows: tuple[tuple[str, int, bool], ...]
    more: int = 0


def columns(answer: FaceAnswer | None) -> tuple[Column, ...]:
    """Return a column for each question of an answer that has scores."""
    found = []
    for number, turn in enumerate(answer.turns if answer else (), start=1):
        shares = probabilities(turn.answer.scores) if turn.answer.scores else {}
        best = sorted(shares, key=lambda option: (-shares[option], option))
        rows = tuple((safe(each, 24), round(100 * shares[each]), each == turn.answer.label) for each in best[:MOST])
        if rows:
            found.append(Column(f"{number} {safe(turn.question.name, 24)}", rows, max(len(best) - MOST, 0)))
    return tuple(found)


@lru_cache(maxsize=64)
def plate_with_bars(
    lines: tuple[Line, ...], shown: tuple[Column, ...], size: int, width: int, stripe: Colour
) -> Pixels:
    """Return lines as `coabench.live.overlay.plates.plate` does, with bars below, RGBA."""
    import numpy as np

    parts = plate(lines, size, width, stripe), chart(shown, max(SMALLEST, round(size * PART)), width, stripe)
    wide = max(part.shape[1] for part in parts)
    whole = np.full((sum(part.shape[0] for part in parts), wide, 4), (*BACK, round(255 * OPACITY)), np.uint8)
    top = 0
    for part in parts:
        whole[top : top + part.shape[0], : part.shape[1]] = part
        top += part.shape[0]
    return whole


@lru_cache(maxsize=64)
def chart(shown: tuple[Column, ...], size: int, width: int, stripe: Colour) -> Pixels:
    """Return columns beside each other on their backing, RGBA, at most *width* wide: smaller where they would be wider.

    Args:
        size: of the text, in pixels.
        stripe: the colour of the face that they are about, at the left.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    gap, edge, step, bar = max(3, size // 2), max(2, round(size / PART) // 4), round(size * 1.25), round(size * LONG)
    names = [max(length(text, size) for text in (*(row[0] for row in each.rows), _more(each))) for each in shown]
    share = length("100%", size)
    wides = [
        max(name + gap + bar + gap + share, length(each.title, size)) for name, each in zip(names, shown, strict=True)
    ]
    wide = int(edge + sum(wides) + 2 * gap * len(shown)) + 1
    if wide > width and size > SMALLEST:
        return chart(shown, size - 1, width, stripe)
    lines = max(1 + len(each.rows) + bool(each.more) for each in shown)
    drawn = Image.new("RGBA", (min(wide, width), step * lines + gap), (*BACK, round(255 * OPACITY)))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((0, 0, edge - 1, drawn.height), fill=(*stripe, 255))
    left = float(edge + gap)
    for each, name, room in zip(shown, names, wides, strict=True):
        _write(pen, each.title, left, size, size, QUIET)
        for row, (option, percents, chosen) in enumerate(each.rows, start=1):
            base, ink, begin = row * step + size, TEXT if chosen else QUIET, round(left + name + gap)
            _write(pen, option, left, base, size, ink)
            top, bottom = base - round(0.65 * size), base
            pen.rectangle((begin, top, begin + bar - 1, bottom), fill=(*TRACK, 255))
            if filled := round(bar * percents / 100):
                pen.rectangle((begin, top, begin + filled - 1, bottom), fill=(*ink, 255))
            said = f"{percents}%"
            _write(pen, said, begin + bar + gap + share - length(said, size), base, size, ink)
        if each.more:
            _write(pen, _more(each), left, (1 + len(each.rows)) * step + size, size, QUIET)
        left += room + 2 * gap
    return np.asarray(drawn)


def _more(column: Column) -> str:
    return f"{column.more} more" if column.more else ""


def _write(pen: ImageDraw, text: str, left: float, base: int, size: int, colour: Colour) -> None:
    for run, font in runs(text, size):
        pen.text((round(left), base), run, font=font, fill=(*colour, 255), anchor="ls")
        left += font.getlength(run)
