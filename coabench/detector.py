"""The Detector interface: faces in a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"
"""A frame as it travels from the camera to the detector and the crop: RGB, uint8, (height, width, 3), rows one after
the other in memory. An array rather than a PIL image: cameras and videos give arrays, detectors take them, and only the
crop, a small part, becomes an image."""

Point = tuple[float, float]
"""x and y in pixels of the frame, whose left upper corner is (0, 0)."""

Landmarks = tuple[Point, Point, Point, Point, Point]
"""The eyes, the tip of the nose and the corners of the mouth; of each pair the one further left in an upright picture
first, which is the person's right one. They may lie outside the frame."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame; right and bottom are the first pixels outside."""


@dataclass(frozen=True)
class Face:
    """A face found in a frame: its box, clipped to the frame and not empty, and the detector's score in 0…1.

    Detectors that know the five landmarks state them; others leave None.
    """

    box: Box
    score: float
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class DetectorRequest:
    """What the user asked for; a detector's factory is called with it.

    Attributes:
        weights: the file of ``--detector-weights``; it exists and has a suffix that the detector takes. None for none.
        options: an instance of the detector's `Detector.Options`, filled from ``--set``.
    """

    weights: Path | None = None
    options: Any = None


@dataclass(frozen=True)
class Unavailable:
    """Why a detector cannot be used here, and what the user can do about it."""

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.remedy})" if self.remedy else self.reason


class Detector(ABC):
    """Finds faces.

    The constructor takes a `DetectorRequest` and makes the detector ready, weights included; `UserError` where
    something is missing or cannot be read, so that a mistake is found before anything starts. It is called in the main
    thread; `detect` in one other thread, never in two at a time.
    """

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    @abstractmethod
    def detect(self, frame: Pixels) -> list[Face]:
        """Return the faces in a frame, the most confident first; an empty list where there is none.

        The same frame gives the same faces. The frame is not written to.
        """


def clipped(
    left: float,
    top: float,
    right: float,
    bottom: float,
    score: float,
    frame: Pixels,
    landmarks: Landmarks | None = None,
) -> Face | None:
    """Return a `Face` with whole pixels inside the frame and a score in 0…1; None where nothing of it is inside."""
    height, width = frame.shape[:2]
    x0, x1 = (round(min(max(x, 0), width)) for x in (left, right))
    y0, y1 = (round(min(max(y, 0), height)) for y in (top, bottom))
    if x0 >= x1 or y0 >= y1:
        return None
    return Face((x0, y0, x1, y1), round(min(max(float(score), 0.0), 1.0), 4), landmarks)


def plain(face: Face) -> Face:
    """Return a face of Python's own numbers: a detector may give those of a library that is loaded there alone."""
    left, top, right, bottom = map(int, face.box)
    if face.landmarks is None:
        return Face((left, top, right, bottom), float(face.score))
    one, two, three, four, five = ((float(x), float(y)) for x, y in face.landmarks)
    return Face((left, top, right, bottom), float(face.score), (one, two, three, four, five))


def missing(module: str, install: str) -> Unavailable | None:
    """Return what to say where a *module* is not installed, None where it is. The module is not imported.

    Args:
        install: the command that installs it.
    """
    from importlib.util import find_spec

    try:
        found = find_spec(module) is not None
    except (ImportError, ValueError):  # its parent package is broken, or there is a None in sys.modules
        found = False
    return None if found else Unavailable(f"the package {module!r} is not installed", install)
