"""``haar``: the cascade of OpenCV 4, which OpenCV 5 dropped."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from coabench.detector import DetectorRequest, Pixels
from coabench.errors import UserError
from coabench.support.opencv import opencv
from coabench_detectors.availability import cascade
from coabench_detectors.scaling import ScaledDetector


class Haar(ScaledDetector):
    """Viola and Jones (2001) with OpenCV's cascade for frontal faces."""

    @dataclass(frozen=True)
    class Options(ScaledDetector.Options):
        threshold: float = 0.0
        """Faces with a lower score are left out. The score of a cascade is no probability."""
        neighbours: int = 5
        """How many hits must lie upon each other; fewer find more faces, and more things that are none."""

    options: Options

    def __init__(self, request: DetectorRequest) -> None:
        super().__init__(request)
        self._cv2 = opencv()
        file = cascade()
        if file is None or not hasattr(self._cv2, "CascadeClassifier"):
            raise UserError(
                "this OpenCV has no Haar cascades", found=self._cv2.__version__, remedy="pip install 'opencv-python<5'"
            )
        self._cascade = self._cv2.CascadeClassifier(str(file))

    def boxes(self, small: Pixels) -> list[tuple[float, ...]]:
        grey = self._cv2.equalizeHist(self._cv2.cvtColor(small, self._cv2.COLOR_RGB2GRAY))
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=self.options.neighbours, minSize=(24, 24), outputRejectLevels=True
        )
        scores = [1 / (1 + exp(-float(weight) / 2)) for weight in np.ravel(weights)]  # stage sum, squeezed into 0…1
        return [
            (x, y, x + width, y + height, score) for (x, y, width, height), score in zip(boxes, scores, strict=True)
        ]
