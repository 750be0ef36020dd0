"""The one table of the live mode's colours: the window, recordings and the page take them from here."""

from __future__ import annotations

from typing import Any

Colour = tuple[int, int, int]
"""sRGB."""

FACES: tuple[Colour, ...] = (
    (0x29, 0xA5, 0x9F),
    (0xC1, 0x20, 0x45),
    (0x98, 0x7F, 0xFF),
    (0xA5, 0x87, 0x04),
    (0x8B, 0x0E, 0xFC),
    (0x49, 0x64, 0x9D),
)
"""A colour per face, the same on light and on dark paper: a contrast of 3 with both (WCAG 2.1, 1.4.11), and distinct
with protanopia and deuteranopia, too. Found by search; the tests measure both. They come again after the last: what a
face is told by is its number."""
TEXT, QUIET, BACK = (255, 255, 255), (205, 210, 215), (16, 18, 22)
"""Text, text of less weight, and what lies behind both."""
TRACK: Colour = (92, 96, 102)
"""What of a bar is not filled: a contrast of 3 with a bar."""
ALARM, NOTICE = (255, 110, 100), (255, 207, 102)
"""Recording; and what asks for attention: no label, stale, paused."""


def face_colour(track: int) -> Colour:
    """Return the colour of the face with this number."""
    return FACES[(track - 1) % len(FACES)]


def ink_on(colour: Colour) -> Colour:
    """Return black or white, whichever can be read on *colour* (a contrast of 4.5 with those of `FACES`)."""
    return (0, 0, 0) if luminance(colour) > 0.179 else (255, 255, 255)


def luminance(colour: Colour) -> float:
    """Return the relative luminance of sRGB, 0…1, as WCAG 2.1 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def for_page() -> dict[str, Any]:
    """Return the table for the page, in CSS's words."""
    return {
        "faces": [{"colour": css(colour), "ink": css(ink_on(colour))} for colour in FACES],
        "text": css(TEXT),
        "quiet": css(QUIET),
        "back": css(BACK),
        "notice": css(NOTICE),
    }


def css(colour: Colour) -> str:
    """Return ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
