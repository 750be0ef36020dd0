"""Draws what a probe knows onto a copy of a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coabench.detector import Box
from coabench.live.overlay.bars import columns, plate_with_bars
from coabench.live.overlay.colours import face_colour
from coabench.live.overlay.placement import Room, Size, Spot, gap, leader
from coabench.live.overlay.plates import number, plate
from coabench.live.overlay.seats import Seats
from coabench.live.overlay.strokes import Style, line, outline, paste
from coabench.live.overlay.words import Marks, about_face, in_corners
from coabench.live.snapshot import FaceView, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Find = Callable[[Size, Box, Spot | None], Spot]
NOTHING = Marks()
CORNERS = {
    "rates": ("top left", "bottom left", "bottom right", "top right"),
    "state": ("top right", "top left", "bottom right", "bottom left"),
    "notice": ("bottom", "top"),
}
"""Where what belongs to no face goes: the first that hides none."""
CROWD = 2
"""Faces from which a short plate at the face comes before the full one away from it."""


def draw(image: Pixels, snapshot: Snapshot, marks: Marks = NOTHING, seats: Seats | None = None) -> Pixels:
    """Return a copy of an RGB *image* (uint8, height × width × 3) with everything drawn on it.

    Sizes follow the shorter side of the image; nothing is drawn outside of it. The same input gives the same picture.

    Args:
        seats: where the plates were in the frame before, which is brought up to date; they do not jump then.
    """
    canvas = image.copy()
    height, width = canvas.shape[:2]
    unit = max(11, round(min(height, width) / 30))
    thick = max(2, unit // 6)
    seats = seats or Seats()
    faces = [_inside(face.box, width, height) for face in snapshot.faces]
    taken: list[Box] = []
    placed: list[tuple[Pixels, Spot]] = []
    said = in_corners(snapshot, marks)
    for name, lines in said.items():
        for each in (lines, lines[:1]) if name == "rates" else (lines,):  # the speed alone where all would hide a face
            text = plate(each, max(10, round(unit * 0.8)) if name == "rates" else unit, width)
            room = Room((width, height), taken, faces)
            spot = room.corner((text.shape[1], text.shape[0]), CORNERS[name], seats.before(name, None))
            if spot.free:
                break
        seats.take(name, None, spot)
        taken.append(spot.area)
        placed.append((text, spot))
    for face, box in zip(snapshot.faces, faces, strict=True):
        outline(canvas, box, face_colour(face.track), thick, _style(face))
    for face, box in zip(snapshot.faces, faces, strict=True):
        text, spot = _placed(face, box, marks.details, unit, Room((width, height), taken, faces), seats)
        taken.append(spot.area)
        placed.append((text, spot))
        if gap(spot.area, box):
            line(canvas, leader(spot.area, box), face_colour(face.track), thick)
    for face, box in zip(snapshot.faces, faces, strict=True):
        chip = number(face.track, max(10, round(unit * 0.8)), face_colour(face.track))
        paste(canvas, chip, min(box[0], width - chip.shape[1]), min(box[1], height - chip.shape[0]))
    for text, spot in placed:
        paste(canvas, text, *spot.area[:2])
    seats.keep({*said, *(face.track for face in snapshot.faces)})
    return canvas


def _placed(face: FaceView, box: Box, details: bool, unit: int, room: Room, seats: Seats) -> tuple[Pixels, Spot]:
    """Return the plate of a face and its place: all that is said where that hides nothing, else the labels alone.

    All is with a bar for each option; where bars have no room, with the likeliest options in words. A plate that had
    to say less says more again after a while.
    """
    tries = _tries(face, details, unit, room)
    levels = [level for level, _, _ in tries]
    seat = seats.get(face.track)
    last = levels.index(seat.level) if seat is not None and seat.level in levels else -1
    for place, (level, text, find) in enumerate(tries):
        if place < last and seat is not None and seat.waits:
            continue
        spot = find((text.shape[1], text.shape[0]), box, seats.before(face.track, level))
        if spot.free:
            break
    seats.take(face.track, level, spot, less=0 <= last < place)
    return text, spot


def _tries(face: FaceView, details: bool, unit: int, room: Room) -> list[tuple[str, Pixels, Find]]:
    """Return what may be said about a face, each with a name and how a place for it is found; the best first."""
    colour, width = face_colour(face.track), room.size[0]
    lines = about_face(face, details)
    labels = about_face(face, False) if face.beside else lines[:1]
    few = len(room.faces) <= CROWD
    full, each, brief = (plate(said, unit, width, colour) for said in (lines, labels, lines[:1]))
    small = plate(lines[:1], max(8, round(unit * 0.7)), width, colour)
    tries: list[tuple[str, Pixels, Find]] = []
    if details and (shown := columns(face.answer)):
        whole, barred = (
            plate_with_bars(said, shown, unit, width, colour)
            for said in (about_face(face, details, options=False), labels)
        )
        tries += [("whole beside", whole, room.beside), ("bars beside", barred, room.beside)]
        tries += [("whole near", whole, room.nearest), ("bars near", barred, room.nearest)] if few else []
    tries.append(("full beside", full, room.beside))
    tries += [("full near", full, room.nearest)] if few else []
    return [
        *tries,
        ("labels beside", each, room.beside),
        ("brief beside", brief, room.beside),
        ("brief near", brief, room.nearest),
        ("small near", small, room.nearest),
    ]


def _style(face: FaceView) -> Style:
    """Return how the box says what its face's answer is: there, too old, or awaited."""
    if face.answer is None:
        return "dotted"
    return "dashed" if face.stale else "solid"


def _inside(box: Box, width: int, height: int) -> Box:
    """Return what of a box lies in the picture, a pixel at its edge where nothing does."""
    left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    return left, top, max(min(box[2], width), left + 1), max(min(box[3], height), top + 1)
