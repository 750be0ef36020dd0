"""Which face of this frame is which face of the last: an identity for each while it is in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from coabench.detector import Box, Face

OVERLAP = 0.1
"""The intersection over union from which two boxes can be the same face: what is left when a square has moved by 0.8 of
its side."""

STALE = 0.5
"""What the overlap with a track is worth that was missed in the last frame: a face that is seen comes before the memory
of one that may be hidden behind it."""

LIMIT = 64
"""How many tracks are kept at most, so that memory is bounded whatever a detector reports."""


@dataclass(frozen=True)
class Track:
    """One face over time.

    Attributes:
        id: its identity, from 1; never used again.
        face: the face as last detected.
        last_seen: seconds. Missed in the current frame if it is not the frame's time.
    """

    id: int
    face: Face
    last_seen: float

    @property
    def box(self) -> Box:
        """Where the face was last seen."""
        return self.face.box

    @property
    def score(self) -> float:
        """The detector's score when the face was last seen."""
        return self.face.score


class Tracker:
    """Follows faces by the overlap of their boxes. Deterministic, and knows nothing of what is in the boxes.

    Args:
        keep: seconds for which a face may be missed and still be the same. Seconds, because machines differ
            in how many frames they see.
    """

    def __init__(self, keep: float = 1.0) -> None:
        self.keep = keep
        self._ids = count(1)
        self._tracks: list[Track] = []
        self._time = float("-inf")

    def update(self, faces: Sequence[Face], time: float) -> list[Track]:
        """Return the tracks after a frame: those seen in it and those missed for at most *keep* seconds, by id.

        Args:
            faces: what was detected; of very many the most confident are taken.
            time: of the frame, in seconds from anywhere; it does not run backwards.
        """
        faces = sorted(faces, key=lambda face: (-face.score, face.box))[:LIMIT]
        known = [track for track in self._tracks if time - track.last_seen <= self.keep]
        assigned = _assign([[self._likeness(track, face) for face in faces] for track in known])
        seen = [replace(known[row], face=faces[column], last_seen=time) for row, column in assigned.items()]
        taken = set(assigned.values())
        new = [Track(next(self._ids), face, time) for column, face in enumerate(faces) if column not in taken]
        missed = [track for row, track in enumerate(known) if row not in assigned]
        missed.sort(key=lambda track: (-track.last_seen, track.id))
        self._time = time
        self._tracks = sorted([*seen, *new, *missed][:LIMIT], key=lambda track: track.id)
        return list(self._tracks)

    def _likeness(self, track: Track, face: Face) -> float:
        overlap = iou(track.box, face.box)
        if overlap < OVERLAP:
            return 0.0
        return overlap if track.last_seen == self._time else overlap * STALE


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
