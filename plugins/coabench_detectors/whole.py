"""``none``: no detection; for pictures that are faces already."""

from __future__ import annotations

from coabench.detector import Detector, DetectorRequest, Face, Pixels


class Whole(Detector):
    """Takes the whole frame for one face."""

    def __init__(self, request: DetectorRequest) -> None:
        pass

    def detect(self, frame: Pixels) -> list[Face]:
        height, width = frame.shape[:2]
        return [Face((0, 0, width, height), 1.0)]
