"""``yunet``: YuNet, run by OpenCV, with weights that the user brings."""

from __future__ import annotations

from typing import Any

import numpy as np

from coabench.detector import DetectorRequest, Pixels
from coabench.errors import UserError
from coabench.support.opencv import opencv
from coabench_detectors.scaling import ScaledDetector

OVERLAP = 0.3
"""Boxes that overlap more are the same face: OpenCV's default."""


class YuNet(ScaledDetector):
    """YuNet (Wu et al., 2023) by ``cv2.FaceDetectorYN``; OpenCV's model zoo has weights, MIT."""

    def __init__(self, request: DetectorRequest) -> None:
        super().__init__(request)
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

    def boxes(self, small: Pixels) -> list[tuple[float, ...]]:
        self._net.setInputSize((small.shape[1], small.shape[0]))
        detections: Any = self._net.detect(np.ascontiguousarray(small[..., ::-1]))[1]
        rows = [] if detections is None else detections.astype(float).tolist()
        return [(x, y, x + width, y + height, score, *points) for x, y, width, height, *points, score in rows]
