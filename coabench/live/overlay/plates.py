"""Text on its backing: the plates of faces and corners, and the numbers of boxes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from coabench.live.overlay.colours import BACK, Colour, ink_on
from coabench.live.overlay.fonts import runs
from coabench.live.overlay.words import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

OPACITY = 0.8
"""Of the backing under text."""
SMALLEST = 7
"""Pixels of text; what is too long then is cut off."""


@lru_cache(maxsize=128)
def plate(lines: tuple[Line, ...], size: int, width: int, stripe: Colour | None = None) -> Pixels:
    """Return lines on their backing as RGBA, at most *width* wide: smaller text where it would be wider.

    Args:
        size: of the text, in pixels.
        stripe: the colour of the face that it is about, at the left.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    pad, edge = max(3, size // 3), 0 if stripe is None else max(2, size // 4)
    longest = max(sum(length(text, size) for text, _ in line) for line in lines)
    room = width - 2 * pad - edge
    if longest > room and size > SMALLEST:
        return plate(lines, max(SMALLEST, min(size - 1, int(size * room / longest))), width, stripe)
    step = round(size * 1.3)
    high = step * len(lines) + pad
    drawn = Image.new("RGBA", (min(width, int(longest) + 2 * pad + edge + 1), high), (*BACK, round(255 * OPACITY)))
    pen = ImageDraw.Draw(drawn)
    if stripe is not None:
        pen.rectangle((0, 0, edge - 1, high), fill=(*stripe, 255))
    for row, line in enumerate(lines):
        x, base = float(pad + edge), pad // 2 + row * step + size
        for text, colour in line:
            if text.startswith("●"):  # drawn: not every font has it
                pen.ellipse((x, base - size * 0.75, x + size * 0.7, base - size * 0.05), fill=(*colour, 255))
                x, text = x + size * 1.1, text[1:].lstrip()
            for run, font in runs(text, size):
                pen.text((round(x), base), run, font=font, fill=(*colour, 255), anchor="ls")
                x += font.getlength(run)
    return np.asarray(drawn)


@lru_cache(maxsize=64)
def number(track: int, size: int, colour: Colour) -> Pixels:
    """Return the number of a face in its colour, RGBA: what stands in the corner of its box."""
    import numpy as np
    from PIL import Image, ImageDraw

    text = str(track)
    pad = max(2, size // 4)
    [(run, font)] = runs(text, size)  # digits: one font has them
    drawn = Image.new("RGBA", (int(font.getlength(run)) + 2 * pad + 1, round(size * 1.2)), (*colour, 255))
    ImageDraw.Draw(drawn).text((pad, round(size * 0.97)), run, font=font, fill=(*ink_on(colour), 255), anchor="ls")
    return np.asarray(drawn)


def length(text: str, size: int) -> float:
    """Return how long a text is, in pixels."""
    return float(sum(font.getlength(run) for run, font in runs(text, size)))
