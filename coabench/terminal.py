"""Text from models and data sets, made harmless before a terminal shows it."""

from __future__ import annotations

import unicodedata


def safe(text: object, limit: int | None = None) -> str:
    """Return *text* on one line with control and format characters escaped, cut to *limit* characters.

    Escape sequences could recolour, overwrite or retitle the terminal; bidirectional marks could reorder what is
    read.
    """
    line = "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else c
        for c in str(text)
    )
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
