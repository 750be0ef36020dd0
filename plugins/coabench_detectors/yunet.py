"""``yunet``: YuNet, run by OpenCV, with weights that the user brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.errors import UserError
from coabench.support.opencv import opencv
from coabench_detectors.scaling import restore, shrink

OVERLAP = 0.3
"""Boxes that overlap more are the same face: OpenCV's default."""


class YuNet(Detector):
    """YuNet (Wu et al., 2023) by ``cv2.FaceDetectorYN``; OpenCV's model zoo has weights, MIT."""

    @dataclass(frozen=True)
    class Options:
        threshold: float = 0.6
        """Faces with a lower score are left out."""
        size: int = 480
        """The longer side, in pixels, at which a frame is looked at."""

    def __init__(self, request: DetectorRequest) -> None:
        self.options: YuNet.Options = request.options or self.Options()
        cv2 = opencv()
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(request.weights), "", (320, 320), self.options.threshold, OVERLAP, 5000
            )
            self.detect(np.zeros((240, 320, 3), np.uint8))  # other networks load, too, and fail at the first frame
        except (cv2.error, AttributeError) as error:
            raise UserError(
                f"--detector-weights {request.weights} cannot be used",
                expected="a YuNet in ONNX, such as face_detection_yunet_2023mar.onnx of OpenCV's model zoo",
                found=str(error).strip().splitlines()[-1],
                remedy="get the file anew, or choose another detector",
            ) from error

    def detect(self, frame: Pixels) -> list[Face]:
        small, factor = shrink(frame, self.options.size)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        detections: Any = self._net.detect(np.ascontiguousarray(small[..., ::-1]))[1]
        rows = [(x, y, x + width, y + height, score) for x, y, width, height, *_, score in _numbers(detections)]
        return restore(rows, factor, frame, self.options.threshold)


def _numbers(detections: Any) -> list[list[float]]:
    return [] if detections is None else [[float(value) for value in row] for row in detections]
