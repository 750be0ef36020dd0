"""Looking at a smaller copy of a large frame: detectors cost time per pixel, and faces worth reading are not tiny."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from coabench.detector import Detector, DetectorRequest, Face, Landmarks, Pixels, clipped


class ScaledDetector(Detector):
    """Detects in a smaller copy of the frame."""

    @dataclass(frozen=True)
    class Options(Detector.Options):
        threshold: float = 0.6
        """Faces with a lower score are left out."""
        size: int = 480
        """The longer side, in pixels, of the copy. Time grows with its square."""

    options: Options

    def __init__(self, request: DetectorRequest) -> None:
        self.options = request.options or self.Options()

    def detect(self, frame: Pixels) -> list[Face]:
        small, factor = shrink(frame, self.options.size)
        return restore(self.boxes(small), factor, frame, self.options.threshold)

    @abstractmethod
    def boxes(self, small: Pixels) -> Iterable[Sequence[float]]:
        """Return left, top, right, bottom, score of each face in the copy; then x and y of each landmark, if known."""


def shrink(frame: Pixels, size: int) -> tuple[Pixels, float]:
    """Return the frame scaled so that its longer side is *size* pixels, and the factor back; it is never enlarged.

    Some 3 ms for 1920×1080. Done with Pillow, so that a detector that needs no OpenCV works without.
    """
    height, width = frame.shape[:2]
    longest = max(height, width)
    if longest <= size:
        return np.ascontiguousarray(frame), 1.0
    from PIL import Image

    to = (max(round(width * size / longest), 1), max(round(height * size / longest), 1))
    small = Image.fromarray(frame).resize(to, Image.Resampling.BILINEAR, reducing_gap=1.0)
    return np.asarray(small), longest / size


def restore(boxes: Iterable[Sequence[float]], factor: float, frame: Pixels, threshold: float) -> list[Face]:
    """Return what was detected in the small copy as faces of the frame, the most confident first.

    Args:
        boxes: left, top, right, bottom, score of each; then, if known, x and y of each landmark.
        threshold: faces with a lower score are left out.
    """
    faces = [
        clipped(left * factor, top * factor, right * factor, bottom * factor, score, frame, _landmarks(points, factor))
        for left, top, right, bottom, score, *points in boxes
        if score >= threshold
    ]
    return sorted((face for face in faces if face), key=lambda face: (-face.score, face.box))


def _landmarks(numbers: Sequence[float], factor: float) -> Landmarks | None:
    if not numbers:
        return None
    one, two, three, four, five = (
        (round(float(x) * factor, 2), round(float(y) * factor, 2))
        for x, y in zip(numbers[::2], numbers[1::2], strict=True)
    )
    return one, two, three, four, five
