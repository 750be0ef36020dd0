"""How a table of the terminal fits into its width: cells are wrapped, then columns left out, never a number broken.

Where all does not fit, in this order, and no further than it must: cells are wrapped at the width that their column
prefers; columns that are for wide tables leave; cells are wrapped at blanks, as narrow as their longest word; columns
leave from the right, those that identify a row the last; words are broken, but between two digits.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GAP = 2
"""Characters between two columns."""
NARROW = 12
"""A text with blanks is not wrapped narrower than that before columns leave."""
NARROWEST = 8
"""What is left of a word that must be broken."""

DATE = re.compile(r"(?<=\d{4}-\d\d-\d\d) (?=\d\d:\d\d)|(?<=\d\d:\d\d) (?=UTC\b)")


class _Wrapper(textwrap.TextWrapper):
    """Breaks at blanks (not at no-break spaces) and after ``:`` or ``/``; within a word only where it must."""

    wordsep_simple_re = re.compile(r"( +|(?<=[:/])(?![\d/]))")

    def _handle_long_word(self, reversed_chunks: list[str], cur_line: list[str], cur_len: int, width: int) -> None:
        """Break a word that is longer than a line, but between two digits only where nothing else is left."""
        word = reversed_chunks[-1]
        cut = space = max(width - cur_len, 1)
        while cut > 1 and re.match(r"\d[.,]?\d|[.,]\d", word[cut - 1 :]):
            cut -= 1
        if cut == 1 and cur_line:
            return  # it goes on a line of its own
        cut = cut if cut > 1 else space
        cur_line.append(word[:cut])
        reversed_chunks[-1] = word[cut:]


def wrap(text: str, width: int) -> str:
    """Return *text* in lines of *width* characters at most; dates with their time stay whole."""
    return _Wrapper(width, break_on_hyphens=False).fill(DATE.sub("\N{NO-BREAK SPACE}", text))


def length(text: str) -> int:
    """Return how many characters of a terminal a text takes, which is two for some scripts' letters."""
    from rich.cells import cell_len

    return cell_len(text)


@dataclass(frozen=True)
class Size:
    """How wide a column can be, in characters.

    Attributes:
        natural: no cell is wrapped.
        preferred: cells are wrapped where the column says.
        least: cells are wrapped at blanks, as far as that goes.
        shortest: words are broken.
        leaves: the rank in which columns leave: the highest first; 0: never.
        spare: it leaves before others are wrapped narrower than they prefer.
    """

    natural: int
    preferred: int
    least: int
    shortest: int
    leaves: int
    spare: bool = False


def size(title: str, cells: Sequence[str], width: int | None, wraps: bool, leaves: int, spare: bool) -> Size:
    """Return the sizes of a column; cells that do not wrap have one only, but the title wraps."""
    pieces = [length(piece) for text in cells for piece in (_pieces(text) if wraps else [text])]
    longest = max([*pieces, *map(length, title.split())], default=0)
    natural = max(map(length, [title, *cells]))
    preferred = natural if width is None else min(natural, max(width, *map(length, title.split()), 1))
    least = max(longest, min(natural, NARROW)) if wraps else longest
    breaks = wraps and any(re.search(r"[^\W\d_]{2}", text) for text in cells)
    return Size(natural, max(preferred, least), least, min(least, NARROWEST) if breaks else least, leaves, spare)


def _pieces(text: str) -> list[str]:
    return [piece for piece in _Wrapper.wordsep_simple_re.split(DATE.sub("\N{NO-BREAK SPACE}", text)) if piece]


def fit(sizes: Sequence[Size], room: int) -> dict[int, int]:
    """Return the columns that fit into *room* characters -> how wide each is."""
    kept = dict(enumerate(sizes))

    def too_wide(width: Callable[[Size], int]) -> bool:
        return sum(width(each) + GAP for each in kept.values()) - GAP > room

    def leave(candidates: list[int]) -> None:
        del kept[max(candidates, key=lambda i: kept[i].leaves)]

    while too_wide(lambda each: each.preferred) and (spare := [i for i in kept if kept[i].spare]):
        leave(spare)
    while too_wide(lambda each: each.least) and (others := [i for i in kept if kept[i].leaves]):
        leave(others)
    widths = {i: each.natural for i, each in kept.items()}
    for floor in ("preferred", "least", "shortest"):
        _shrink(widths, {i: getattr(each, floor) for i, each in kept.items()}, room - GAP * (len(kept) - 1))
    return widths


def _shrink(widths: dict[int, int], floors: dict[int, int], room: int) -> None:
    """Take from the widest columns, none below its floor, until all fit or all are there."""
    while sum(widths.values()) > room and (above := [i for i in widths if widths[i] > floors[i]]):
        widths[max(above, key=lambda i: widths[i])] -= 1
