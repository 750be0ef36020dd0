"""Text for people: made harmless before a terminal shows it; numbers, intervals and p-values as tables show them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import takewhile

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


def plural(count: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``, ``1,234 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def last_part(path: str | None) -> str:
    """Return the last part of a path or of a name such as ``owner/model``; nothing for None."""
    return (path or "").rstrip("/\\").replace("\\", "/").rpartition("/")[2]


def common_name(names: Sequence[str]) -> str:
    """Return the name of one, or what several begin and end with and a star between: ``coa-s*``, ``fold-*/seed-0``."""
    if len({*names}) == 1:
        return names[0]
    begins = _begin(names)
    ends = _begin([name[len(begins) :][::-1] for name in names])[::-1]
    separated = re.search(r"[-_./ ].*", ends, re.DOTALL)
    return f"{begins}*{separated[0] if separated else ''}"


def _begin(names: Sequence[str]) -> str:
    """Return what all names begin with."""
    return "".join(first for first, *_ in takewhile(lambda row: len({*row}) == 1, zip(*names, strict=False)))


def rank(best: int | None, worst: int | None, leading: bool | None) -> str:
    """Return a place or a range of places for people, with a star where nothing is above; a dash for None."""
    if best is None:
        return NOTHING
    return (str(best) if best == worst else f"{best}–{worst}") + ("*" if leading else "")


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


def p_equals(p: float) -> str:
    """Return a p-value for a sentence, ``p = 0.024`` or ``p < 0.001``."""
    shown = p_value(p)
    return f"p {shown.replace('<', '< ')}" if shown.startswith("<") else f"p = {shown}"


def difference(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a difference of proportions in points for people, with its sign and its interval."""
    return f"{signed(value, digits)} {interval(signed(low), signed(high))}"


def date(text: str | None) -> str | None:
    """Return the time that a manifest has, for people, to the minute."""
    return text and text[:16].replace("T", " ") + (" UTC" if text.endswith("+00:00") else "")
