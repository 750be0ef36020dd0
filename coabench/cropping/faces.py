"""Which of the faces of a picture is cut out: the same for `datasets crop` and for ``--crop``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from coabench.detector import Face
from coabench.support.crops import select_faces

if TYPE_CHECKING:
    from PIL.Image import Image

FOUND, NONE, SMALL, UNREADABLE = "found", "no face", "too small", "unreadable"
"""What can become of a picture."""


def choose(
    faces: Sequence[Face], image: Image, which: Literal["largest", "centre", "all"], min_face: int
) -> list[Face]:
    """Return the face that is cut out of a picture, all where that is wanted; none where all are smaller than that.

    Args:
        which: the largest, or the one nearest the picture's centre.
        min_face: the least width and height in pixels.
    """
    large = select_faces(faces, min_face=min_face)
    if which == "centre":
        large.sort(key=lambda face: _off_centre(face, image))
    return large if which == "all" else large[:1]


def _off_centre(face: Face, image: Image) -> int:
    """Return the squared distance of twice the middles."""
    left, top, right, bottom = face.box
    return (left + right - image.width) ** 2 + (top + bottom - image.height) ** 2
