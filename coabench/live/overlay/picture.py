"""Draws what a probe knows onto a copy of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coabench.detector import Box
from coabench.live.overlay.bars import columns, plate_with_bars
from coabench.live.overlay.colours import face_colour
from coabench.live.overlay.placement import Room, Spot, gap, leader
from coabench.live.overlay.plates import number, plate
from coabench.live.overlay.strokes import Style, line, outline, paste
from coabench.live.overlay.words import Marks, about_face, in_corners
from coabench.live.snapshot import FaceView, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

NOTHING = Marks()
CORNERS = {
    "rates": ("top left", "bottom left", "bottom right", "top right"),
    "state": ("top right", "top left", "bottom right", "bottom left"),
    "notice": ("bottom", "top"),
}
"""Where what belongs to no face goes: the first that hides none."""
CROWD = 2
"""Faces from which a short plate at the face comes before the full one away from it."""


def draw(image: Pixels, snapshot: Snapshot, marks: Marks = NOTHING) -> Pixels:
    """Return a copy of an RGB *image* (uint8, height × width × 3) with everything drawn on it.

    Sizes follow the shorter side of the image; nothing is drawn outside of it. The same input gives the same picture.
    """
    canvas = image.copy()
    height, width = canvas.shape[:2]
    unit = max(11, round(min(height, width) / 30))
    thick = max(2, unit // 6)
    faces = [_inside(face.box, width, height) for face in snapshot.faces]
    taken: list[Box] = []
    placed: list[tuple[Pixels, Spot]] = []
    for name, lines in in_corners(snapshot, marks).items():
        for said in (lines, lines[:1]) if name == "rates" else (lines,):  # the speed alone where all would hide a face
            text = plate(said, max(10, round(unit * 0.8)) if name == "rates" else unit, width)
            spot = Room((width, height), taken, faces).corner((text.shape[1], text.shape[0]), CORNERS[name])
            if spot.free:
                break
        taken.append(spot.area)
        placed.append((text, spot))
    for face, box in zip(snapshot.faces, faces, strict=True):
        outline(canvas, box, face_colour(face.track), thick, _style(face))
    for face, box in zip(snapshot.faces, faces, strict=True):
        text, spot = _placed(face, box, marks.details, unit, Room((width, height), taken, faces))
        taken.append(spot.area)
        placed.append((text, spot))
        if gap(spot.area, box):
            line(canvas, leader(spot.area, box), face_colour(face.track), thick)
    for face, box in zip(snapshot.faces, faces, strict=True):
        chip = number(face.track, max(10, round(unit * 0.8)), face_colour(face.track))
        paste(canvas, chip, min(box[0], width - chip.shape[1]), min(box[1], height - chip.shape[0]))
    for text, spot in placed:
        paste(canvas, text, *spot.area[:2])
    return canvas


def _placed(face: FaceView, box: Box, details: bool, unit: int, room: Room) -> tuple[Pixels, Spot]:
    """Return the plate of a face and its place: all that is said where that hides nothing, else the labels alone.

    All is with a bar for each option; where bars have no room, with the likeliest options in words.
    """
    lines = about_face(face, details)
    labels = about_face(face, False) if face.beside else lines[:1]
    full, each, brief = (
        plate(said, unit, room.size[0], face_colour(face.track)) for said in (lines, labels, lines[:1])
    )
    small = plate(lines[:1], max(8, round(unit * 0.7)), room.size[0], face_colour(face.track))
    tries = [
        (full, room.beside),
        (each, room.beside),
        (brief, room.beside),
        (brief, room.nearest),
        (small, room.nearest),
    ]
    few = len(room.faces) <= CROWD
    if few:
        tries.insert(1, (full, room.nearest))
    if details and (shown := columns(face.answer)):
        barred = [
            plate_with_bars(said, shown, unit, room.size[0], face_colour(face.track))
            for said in (about_face(face, details, options=False), labels)
        ]
        finds = (room.beside, room.nearest) if few else (room.beside,)
        tries = [*((text, find) for find in finds for text in barred), *tries]
    for text, find in tries:
        spot = find((text.shape[1], text.shape[0]), box)
        if spot.free:
            break
    return text, spot


def _style(face: FaceView) -> Style:
    """Return how the box says what its face's answer is: there, too old, or awaited."""
    if face.answer is None:
        return "dotted"
    return "dashed" if face.stale else "solid"


def _inside(box: Box, width: int, height: int) -> Box:
    """Return what of a box lies in the picture, a pixel at its edge where nothing does."""
    left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    return left, top, max(min(box[2], width), left + 1), max(min(box[3], height), top + 1)
