"""Where a plate goes: beside its face where that hides nothing, else where there is room.

No state, no chance: who draws frame after frame says where a plate was, and there it stays while that is as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from coabench.detector import Box
from coabench.live.tracker import intersection

ENOUGH = 1.25
"""Where every place hides something, a plate stays where it hides so many times as much as it must."""
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class Spot:
    """A place for a plate.

    Attributes:
        area: what it covers.
        free: whether it hides no face and no other plate.
        at: which of the places that were tried it is, for `beside` and `corner`.
    """

    area: Box
    free: bool
    at: int = 0


@dataclass(frozen=True)
class Room:
    """A picture and what is on it already.

    Attributes:
        size: of the picture.
        plates: what may not be hidden; *faces* what should not.
    """

    size: Size
    plates: Sequence[Box]
    faces: Sequence[Box]

    def beside(self, plate: Size, face: Box, before: Spot | None = None) -> Spot:
        """Return the best place that touches the face: above, else below, at its right, its left, at last inside.

        Args:
            before: where it was; the place on that side comes first.
        """
        (wide, high), (left, top, right, bottom) = plate, face
        tries = [(left, top - high), (left, bottom), (right, top), (left - wide, top), (right - wide, top - high),
                 (right - wide, bottom), (right, bottom - high), (left - wide, bottom - high),
                 (left, bottom - high), (left, top)]  # fmt: skip
        spots = [(n, self._inside(plate, tries[n])) for n in _first(before, len(tries))]
        return self._best([spot for spot in spots if gap(spot[1], face) == 0] or spots, face)

    def nearest(self, plate: Size, face: Box, before: Spot | None = None) -> Spot:
        """Return the free place nearest to the face; where there is none, the one that hides least.

        The nearest is always one that touches something: an edge of the picture, a face, a plate.

        Args:
            before: where it was; there it stays while that is free, and not farther by more than the plate is high.
        """
        (wide, high), (width, height) = plate, self.size
        there = [*self.plates, *self.faces]
        lefts = {0, width - wide, face[0], *(b[2] for b in there), *(b[0] - wide for b in there)}
        tops = {0, height - high, face[1], *(b[3] for b in there), *(b[1] - high for b in there)}
        spots = {self._inside(plate, (left, top)) for left in lefts for top in tops}
        near_first = sorted(spots, key=lambda area: (gap(area, face), _between_middles(area, face), area))
        free = next((area for area in near_first if not any(intersection(area, other) for other in there)), None)
        found = self._best([*enumerate(near_first)], face) if free is None else Spot(free, True)
        if before is not None:
            area = self._inside(plate, before.area[:2])
            near = gap(area, face) <= gap(found.area, face) + high
            if near and self._hides(area, face) <= ENOUGH * self._hides(found.area, face):
                return Spot(area, found.free)
        return found

    def corner(self, plate: Size, order: Sequence[str], before: Spot | None = None) -> Spot:
        """Return the first corner or edge of *order* (``top left``, ``bottom`` …) that is free, else the best one.

        Args:
            before: where it was; that corner comes first.
        """
        (wide, high), (width, height) = plate, self.size
        spots = []
        for n in _first(before, len(order)):
            name = order[n]
            left = 0 if "left" in name else width - wide if "right" in name else (width - wide) // 2
            spots.append((n, self._inside(plate, (left, 0 if "top" in name else height - high))))
        return self._best(spots, None)

    def _inside(self, plate: Size, at: tuple[int, int]) -> Box:
        left = min(max(at[0], 0), max(self.size[0] - plate[0], 0))
        top = min(max(at[1], 0), max(self.size[1] - plate[1], 0))
        return left, top, left + plate[0], top + plate[1]

    def _best(self, spots: Sequence[tuple[int, Box]], own: Box | None) -> Spot:
        """Return the first of those that hide least, the nearest of these."""
        costs = [(self._hides(area, own), 0 if own is None else gap(area, own)) for _, area in spots]
        best = min(range(len(spots)), key=costs.__getitem__)
        at, area = spots[best]
        return Spot(area, costs[best][0] == 0, at)

    def _hides(self, area: Box, own: Box | None) -> float:
        """Return how much an area hides; the plate's own face is hidden before another is."""
        plates = sum(intersection(area, other) for other in self.plates)
        faces = sum(intersection(area, other) * (1 if other == own else 3) for other in self.faces)
        return 10 * plates + faces


def _first(before: Spot | None, count: int) -> list[int]:
    """Return the numbers of so many places, that of the one *before* first."""
    return sorted(range(count), key=lambda n: (before is None or n != before.at, n))


def gap(a: Box, b: Box) -> float:
    """Return the pixels between two boxes, 0 where they touch."""
    return hypot(max(a[0] - b[2], b[0] - a[2], 0), max(a[1] - b[3], b[1] - a[3], 0))


def _between_middles(a: Box, b: Box) -> int:
    return abs(a[0] + a[2] - b[0] - b[2]) + abs(a[1] + a[3] - b[1] - b[3])


def leader(plate: Box, face: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the two ends of the shortest line from a plate to the box of its face."""
    ends = []
    for low, high, other_low, other_high in (
        (plate[0], plate[2], face[0], face[2]),
        (plate[1], plate[3], face[1], face[3]),
    ):
        if high < other_low or other_high < low:  # one lies before the other
            ends.append((high, other_low) if high < other_low else (low, other_high))
        else:
            middle = (max(low, other_low) + min(high, other_high)) // 2
            ends.append((middle, middle))
    (x, to_x), (y, to_y) = ends
    return (x, y), (to_x, to_y)
