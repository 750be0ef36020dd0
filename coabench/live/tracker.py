"""Which face of this frame is which face of the last: an identity for each while it is in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from coabench.detector import Box, Face
from coabench.live.appearance import appearance, similarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coabench.live.appearance import Appearance

OVERLAP = 0.1
"""The intersection over union from which two boxes can be the same face: what is left when a square has moved by 0.8 of
its side."""

STALE = 0.5
"""What the overlap with a track is worth that was missed in the last frame: a face that is seen comes before the memory
of one that may be hidden behind it."""

LIMIT = 64
"""How many tracks are kept at most, so that memory is bounded whatever a detector reports."""


LOOKS = 2
"""How many looks a face may be missed in and still be the same, however long they take."""

KNOWN = 0.6
"""The similarity from which a face is known again where its box does not overlap the place where it was."""

REACH = 3.0
"""Sides of its box by which a face may move in a second, beyond one side at once."""

GROWTH = 2.0
"""How many times as large or as small its box may be then."""

SETTLED = 0.5
"""Seconds in which the trust in where a face was falls to 1/e: then it counts more what it looks like."""

STEADY = 0.3
"""Seconds over which a velocity is averaged: boxes shake."""

AHEAD = 0.5
"""Seconds for which a face is expected to keep its velocity."""

CLEAR = 0.1
"""The overlap with another face up to which a look is a clear one, by which the face is known again."""


@dataclass(frozen=True)
class Track:
    """One face over time.

    Attributes:
        id: its identity, from 1; never used again.
        face: the face as last detected.
        last_seen: seconds. Missed in the current frame if it is not the frame's time.
        missed: looks since then.
        velocity: of the middle of its box, pixels a second to the right and down.
        appearance: of the last clear look; see `coabench.live.appearance`.
    """

    id: int
    face: Face
    last_seen: float
    missed: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)
    appearance: Appearance | None = field(default=None, repr=False, compare=False)

    @property
    def box(self) -> Box:
        """Where the face was last seen."""
        return self.face.box

    @property
    def score(self) -> float:
        """The detector's score when the face was last seen."""
        return self.face.score

    def expected(self, time: float) -> Box:
        """Return where the face should be, if it has kept its velocity."""
        ahead = min(time - self.last_seen, AHEAD)
        right, down = (round(speed * ahead) for speed in self.velocity)
        return self.box[0] + right, self.box[1] + down, self.box[2] + right, self.box[3] + down

    def seen(self, face: Face, time: float, appearance: Appearance | None) -> Track:
        """Return the track after a look in which the face was seen."""
        velocity, passed = self.velocity, time - self.last_seen
        if passed > 0:
            moved = zip(_middle(self.box), _middle(face.box), velocity, strict=True)
            weight = 1 - math.exp(-passed / STEADY)
            velocity_x, velocity_y = (v + weight * ((now - then) / passed - v) for then, now, v in moved)
            velocity = velocity_x, velocity_y
        return replace(self, face=face, last_seen=time, missed=0, velocity=velocity, appearance=appearance)


class Tracker:
    """Follows faces by the overlap of their boxes, and by what they look like where much time lies between two looks.

    Deterministic: the same faces in any order give the same tracks.

    Args:
        keep: seconds for which a face may be missed and still be the same. Seconds, because machines differ
            in how many frames they see; where they see less than one in that time, `LOOKS` counts.
    """

    def __init__(self, keep: float = 1.0) -> None:
        self.keep = keep
        self._ids = count(1)
        self._tracks: list[Track] = []

    def forget(self) -> None:
        """Forget all faces: what comes next is another scene. Identities are not used again."""
        self._tracks = []

    def rename(self, track: int, into: int) -> bool:
        """Give a face that is followed an earlier identity; return False where that one was seen in the last look."""
        followed = {each.id: each for each in self._tracks}
        if track not in followed or (into in followed and not followed[into].missed):
            return False
        rest = [each for each in self._tracks if each.id not in (track, into)]
        self._tracks = sorted([*rest, replace(followed[track], id=into)], key=lambda each: each.id)
        return True

    def update(self, faces: Sequence[Face], time: float, image: NDArray[np.uint8] | None = None) -> list[Track]:
        """Return the tracks after a look: those seen in it, and those not lost yet, by id.

        Args:
            faces: what was detected; of very many the most confident are taken.
            time: of the frame, in seconds from anywhere; it does not run backwards.
            image: the frame, RGB; without it only boxes count.
        """
        faces = sorted(faces, key=lambda face: (-face.score, face.box))[:LIMIT]
        looks = [None if image is None else appearance(image, face.box) for face in faces]
        known = self._tracks
        likeness = [[_likeness(track, face, look, time) for face, look in zip(faces, looks, strict=True)]
                    for track in known]  # fmt: skip
        assigned = _assign(likeness)
        seen = [
            known[row].seen(faces[column], time, _clearest(known[row].appearance, looks[column], faces, column))
            for row, column in assigned.items()
        ]
        taken = set(assigned.values())
        new = [
            Track(next(self._ids), face, time, appearance=look)
            for column, (face, look) in enumerate(zip(faces, looks, strict=True))
            if column not in taken
        ]
        missed = [replace(track, missed=track.missed + 1) for row, track in enumerate(known) if row not in assigned]
        missed = [track for track in missed if time - track.last_seen <= self.keep or track.missed <= LOOKS]
        missed.sort(key=lambda track: (-track.last_seen, track.id))
        self._tracks = sorted([*seen, *new, *missed][:LIMIT], key=lambda track: track.id)
        return list(self._tracks)


def _likeness(track: Track, face: Face, look: Appearance | None, time: float) -> float:
    """Return how much speaks for a face to be that of a track, 0…1; 0 where it cannot be."""
    overlap = iou(track.expected(time), face.box)
    alike = 1.0 if track.appearance is None or look is None else similarity(track.appearance, look)
    near = overlap * (1.0 if not track.missed else STALE) * (0.1 + 0.9 * alike) if overlap >= OVERLAP else 0.0
    if look is None or track.appearance is None or alike < KNOWN or not _within_reach(track, face, time):
        return near
    return max(near, (1 - math.exp((track.last_seen - time) / SETTLED)) * alike)


def _within_reach(track: Track, face: Face, time: float) -> bool:
    """Whether a face can have come from where a track was, by its size and in the time since then."""
    side, side2 = (max(right - left, bottom - top) for left, top, right, bottom in (track.box, face.box))
    if max(side, side2) > GROWTH * min(side, side2):
        return False
    return math.dist(_middle(track.box), _middle(face.box)) <= (1 + REACH * (time - track.last_seen)) * side


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _clearest(
    before: Appearance | None, look: Appearance | None, faces: Sequence[Face], index: int
) -> Appearance | None:
    """Return the new look, unless another face is over it: then the look before."""
    others = (iou(face.box, faces[index].box) for other, face in enumerate(faces) if other != index)
    return look if before is None or max(others, default=0.0) <= CLEAR else before


def intersection(first: Box, second: Box) -> int:
    """Return how many pixels two boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def iou(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes, 0…1."""
    shared = intersection(first, second)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if shared else 0.0


def _assign(likeness: Sequence[Sequence[float]]) -> dict[int, int]:
    """Return row -> column so that no column is taken twice and the likenesses add up to the most; zeros never match.

    The Hungarian method in its O(n³) form with potentials (Kuhn 1955, Munkres 1957).
    """
    rows, columns = len(likeness), len(likeness[0]) if likeness else 0
    if not columns:
        return {}
    if rows > columns:
        turned = _assign([[likeness[row][column] for row in range(rows)] for column in range(columns)])
        return {row: column for column, row in sorted(turned.items(), key=lambda pair: pair[1])}
    row_price, column_price = [0.0] * (rows + 1), [0.0] * (columns + 1)
    row_of = [0] * (columns + 1)  # 1-based; 0 for none
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        slack, came_from, done = [float("inf")] * (columns + 1), [0] * (columns + 1), [False] * (columns + 1)
        while row_of[column]:
            done[column] = True
            here, step, nearest = row_of[column], float("inf"), 0
            for other in range(1, columns + 1):
                if not done[other]:
                    cost = -likeness[here - 1][other - 1] - row_price[here] - column_price[other]
                    if cost < slack[other]:
                        slack[other], came_from[other] = cost, column
                    if slack[other] < step:
                        step, nearest = slack[other], other
            for other in range(columns + 1):
                if done[other]:
                    row_price[row_of[other]] += step
                    column_price[other] -= step
                else:
                    slack[other] -= step
            column = nearest
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    pairs = {row_of[column] - 1: column - 1 for column in range(1, columns + 1) if row_of[column]}
    return {row: column for row, column in sorted(pairs.items()) if likeness[row][column] > 0}
