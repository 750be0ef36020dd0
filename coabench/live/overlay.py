"""Draws what a probe knows onto a copy of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from coabench.base.text import safe
from coabench.detector import Box
from coabench.live.snapshot import FaceView, Snapshot
from coabench.live.tracker import intersection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Colour = tuple[int, int, int]
FRESH, STALE, WAITING, ALARM = (64, 224, 160), (160, 160, 160), (255, 200, 64), (224, 48, 48)
TEXT, DIM, BACK = (255, 255, 255), (205, 210, 215), (16, 18, 22)
READABLE = 0.25
"""Seconds that a line must stand to be read."""
OPACITY = 0.72
"""Of the backing under text."""
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf")
"""Tried in this order for their alphabets; the font that comes with Pillow knows little more than ASCII."""

Line = tuple[str, Colour]


@dataclass(frozen=True)
class Marks:
    """What is shown beside the faces.

    Attributes:
        fps: frames shown a second; None for a recording.
        about: what answers: backbone and strategy.
        notice: a line at the bottom.
        details: the stages, ages and rates, beside the labels.
    """

    fps: float | None = None
    about: str = ""
    notice: str | None = None
    recording: bool = False
    paused: bool = False
    details: bool = True


def draw(image: Pixels, snapshot: Snapshot, marks: Marks = Marks()) -> Pixels:
    """Return a copy of an RGB *image* (uint8, height × width × 3) with everything drawn on it.

    Sizes follow the shorter side of the image; nothing is drawn outside of it.
    """
    canvas = image.copy()
    height, width = canvas.shape[:2]
    unit = max(11, round(min(height, width) / 30))
    taken: list[Box] = []
    for plate, where in _corners(snapshot, marks, unit, width):
        spare = max(0, width - plate.shape[1])
        left = {"left": 0, "right": spare, "bottom": spare // 2}[where]
        top = 0 if where != "bottom" else max(0, height - plate.shape[0])
        if where == "right" and any(intersection((left, top, width, plate.shape[0]), box) for box in taken):
            top = max(box[3] for box in taken)
        taken.append(_paste(canvas, plate, left, top))
    for face in snapshot.faces:
        _outline(canvas, face.box, _colour(face), max(1, unit // 6), dashed=face.stale)
    for face in sorted(snapshot.faces, key=lambda face: face.box[1]):
        others = [other.box for other in snapshot.faces if other is not face]
        lines = _lines(face, marks.details)
        plate = _plate(lines, unit, width)
        (left, top), free = _place(face.box, plate, canvas, taken, others)
        if not free and len(lines) > 1:  # crowded: the label alone
            plate = _plate(lines[:1], unit, width)
            (left, top), _ = _place(face.box, plate, canvas, taken, others)
        taken.append(_paste(canvas, plate, left, top))
    return canvas


# -- what is said -----------------------------------------------------------------------------------------------------


def _lines(face: FaceView, details: bool) -> tuple[Line, ...]:
    """Return what is said about a face: its label; with details the stages, the age, whether it is stale."""
    answer = face.answer
    if answer is None:
        lines: list[Line] = [(f"#{face.track}  asking" if face.asking else f"#{face.track}", WAITING)]
    else:
        label = answer.prediction.label
        said = safe(label, 40) if label is not None else f"no label: {safe(answer.outcome, 30)}"
        confidence = "" if answer.confidence is None else f"  {answer.confidence:.0%}"
        if face.smoothed is not None:
            lines = [(f"#{face.track}  {safe(face.smoothed, 40)}  (smoothed)", _colour(face))]
            if details:
                lines.append((f"now {said}{confidence}", TEXT))
        else:
            lines = [(f"#{face.track}  {said}{confidence}", _colour(face))]
    if details:
        stages = _stages(face)
        if stages:
            lines.append((stages, DIM))
        if face.age is not None:
            lines.append((f"{face.age:.1f} s ago" + ("  stale" if face.stale else ""), DIM))
    elif face.stale:
        lines.append(("stale", DIM))
    return tuple(lines)


def _stages(face: FaceView) -> str:
    """Return the stages so far: ``1 Happiness  2 …``.

    The last answer's, until the next one's first has arrived; all along where answers come faster than one can read.
    Nothing for a strategy that asks once: its label says it all.
    """
    answer = face.answer
    arriving = face.asking and (answer is None or (bool(face.turns) and answer.seconds > READABLE))
    turns = face.turns if arriving or answer is None else answer.turns
    said = [safe(t.answer.label or f"“{safe(t.answer.response, 18)}”", 24) for t in turns]
    if arriving:
        said.append("…")
    if len(said) < 2 and answer is not None:
        return ""
    return "  ".join(f"{number} {text}" for number, text in enumerate(said, start=1))


def _colour(face: FaceView) -> Colour:
    if face.answer is None:
        return WAITING
    return STALE if face.stale else FRESH


def _corners(snapshot: Snapshot, marks: Marks, unit: int, width: int) -> list[tuple[Pixels, str]]:
    """Return the plates that belong to no face, each with the edge that it goes to."""
    rates = snapshot.rates
    speed = [] if marks.fps is None else [f"{marks.fps:.0f} fps"]
    speed.append(f"{rates.answers_per_second:.1f} answers/s")
    lines: list[Line] = [("  ".join(speed), TEXT)]
    if marks.details:
        if rates.median is not None and rates.p95 is not None:
            lines.append((f"median {_seconds(rates.median)}  p95 {_seconds(rates.p95)}", DIM))
        if marks.about:
            lines.append((safe(marks.about, 60), DIM))
    plates = [(_plate(tuple(lines), max(10, round(unit * 0.8)), width), "left")]
    states: list[Line] = [("● REC", ALARM)] if marks.recording else []
    states += [("paused", WAITING)] if marks.paused else []
    if states:
        plates.append((_plate(tuple(states), unit, width), "right"))
    if marks.notice:
        plates.append((_plate(((safe(marks.notice, 80), TEXT),), unit, width), "bottom"))
    return plates


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


# -- where and how ----------------------------------------------------------------------------------------------------


def _place(
    box: Box, plate: Pixels, canvas: Pixels, taken: Sequence[Box], others: Sequence[Box]
) -> tuple[tuple[int, int], bool]:
    """Return left and top for a face's plate, and whether it hides no other plate.

    Above its face, else below, beside or inside: where it hides least of the plates *taken*, of the *others'* faces and
    of its own.
    """
    (high, wide), (height, width) = plate.shape[:2], canvas.shape[:2]
    left, top, right, bottom = box
    tries = [(left, top - high), (left, bottom), (right, top), (left - wide, top), (right - wide, top - high),
             (right - wide, bottom), (left, top), (left, bottom - high)]  # fmt: skip
    best, least, free = (0, 0), float("inf"), False
    for rank, (x, y) in enumerate(tries):
        inside = min(max(x, 0), max(width - wide, 0)), min(max(y, 0), max(height - high, 0))
        area = (*inside, inside[0] + wide, inside[1] + high)
        plates = sum(intersection(area, other) for other in taken)
        faces = 2 * sum(intersection(area, other) for other in others) + intersection(area, box)
        away = abs(inside[0] - x) + abs(inside[1] - y) + rank
        cost = 10 * plates + faces + away
        if cost < least:
            best, least, free = inside, cost, plates == 0
    return best, free


def _outline(canvas: Pixels, box: Box, colour: Colour, thick: int, *, dashed: bool) -> None:
    """Draw the box with a dark rim, which makes it visible on any background."""
    height, width = canvas.shape[:2]
    left, top, right, bottom = (
        max(min(box[0], width - 1), 0),
        max(min(box[1], height - 1), 0),
        max(min(box[2], width), 1),
        max(min(box[3], height), 1),
    )
    for rim, paint in ((1, BACK), (0, colour)):
        t = thick + rim
        edges = [
            (slice(max(top - rim, 0), top + t), slice(max(left - rim, 0), right + rim)),
            (slice(max(bottom - t, 0), bottom + rim), slice(max(left - rim, 0), right + rim)),
            (slice(max(top - rim, 0), bottom + rim), slice(max(left - rim, 0), left + t)),
            (slice(max(top - rim, 0), bottom + rim), slice(max(right - t, 0), right + rim)),
        ]
        for rows, columns in edges:
            part = canvas[rows, columns]
            if not dashed or rim:
                part[:] = paint
                continue
            along = 1 if part.shape[1] >= part.shape[0] else 0
            dash = max(4, 4 * thick)
            for start in range(0, part.shape[along], 2 * dash):
                index: Any = (slice(None),) * along + (slice(start, start + dash),)
                part[index] = paint


def _paste(canvas: Pixels, plate: Pixels, left: int, top: int) -> Box:
    """Blend a plate (RGB and coverage) into the canvas, cut off where it is too large; return where it is."""
    height, width = canvas.shape[:2]
    left, top = min(left, width), min(top, height)
    right, bottom = min(left + plate.shape[1], width), min(top + plate.shape[0], height)
    part, piece = canvas[top:bottom, left:right], plate[: bottom - top, : right - left]
    cover = piece[..., 3:].astype("uint16")
    part[:] = (piece[..., :3] * cover + part * (255 - cover) + 127) // 255
    return left, top, right, bottom


@lru_cache(maxsize=128)
def _plate(lines: tuple[Line, ...], size: int, width: int) -> Pixels:
    """Return text on its backing as RGBA, at most *width* wide: smaller text where it would be wider."""
    import numpy as np
    from PIL import Image, ImageDraw

    pad = max(3, size // 3)
    longest = max(_font(size).getlength(text) for text, _ in lines)
    if longest + 2 * pad > width and size > 7:
        return _plate(lines, max(7, min(size - 1, int(size * (width - 2 * pad) / longest))), width)
    font = _font(size)
    step = round(size * 1.3)
    plate = Image.new(
        "RGBA", (min(width, int(longest) + 2 * pad + 1), step * len(lines) + pad), (*BACK, round(255 * OPACITY))
    )
    pen = ImageDraw.Draw(plate)
    for row, (text, colour) in enumerate(lines):
        x, y = pad, pad // 2 + row * step
        if text.startswith("●"):  # drawn: not every font has it
            pen.ellipse((x, y + size * 0.25, x + size * 0.7, y + size * 0.95), fill=(*colour, 255))
            x, text = round(x + size * 1.1), text[1:].lstrip()
        pen.text((x, y), text, font=font, fill=(*colour, 255))
    return np.asarray(plate)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
