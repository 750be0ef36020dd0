"""Text for people: made harmless before a terminal shows it; numbers, intervals and p-values as tables show them."""

from __future__ import annotations

import unicodedata

NOTHING = "–"
"""What a person sees where there is no value."""


def safe(text: object, limit: int | None = None) -> str:
    """Return *text* on one line with control and format characters escaped, cut to *limit* characters.

    Escape sequences could recolour, overwrite or retitle the terminal; bidirectional marks could reorder what is
    read.
    """
    line = "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else c
        for c in str(text)[: None if limit is None else limit + 1]  # the rest is never shown
    )
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def last_part(path: str | None) -> str:
    """Return the last part of a path or of a name such as ``owner/model``; nothing for None."""
    return (path or "").rstrip("/\\").replace("\\", "/").rpartition("/")[2]


def number(value: float | None, digits: int = 2) -> str:
    """Return *value* rounded for people, or a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """Return a proportion as a percentage for people, without the sign, or a dash for None."""
    return number(None if value is None else 100 * value, digits)


def signed(value: float, digits: int = 1) -> str:
    """Return a difference of proportions in points for people, with its sign."""
    return f"{round(100 * value, digits) + 0.0:+.{digits}f}".replace("-", "−")  # + 0.0: no negative zero


def interval(low: str, high: str) -> str:
    """Return an interval for people; it stays on one line."""
    return f"[{low},\N{NO-BREAK SPACE}{high}]"


def p_value(p: float | None) -> str:
    """Return a p-value for people, or a dash for None."""
    return NOTHING if p is None else f"{p:.3f}" if p >= 0.001 else "<0.001"
