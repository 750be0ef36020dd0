"""``yolov8n-face``: a YOLO model for faces, run by ultralytics, with weights that the user brings.

ultralytics phones home, writes settings and installs packages on its own unless that is switched off; here it is.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from coabench.detector import DetectorRequest, Pixels
from coabench.errors import UserError, first_line
from coabench.support.opencv import opencv
from coabench_detectors.importing import load
from coabench_detectors.scaling import ScaledDetector

INSTALL = "pip install 'coabench[yolo]'"
GREY = 114
"""What ultralytics pads frames with."""
OVERLAP = 0.7
"""Boxes that overlap more are the same face: ultralytics' default."""


class YoloFace(ScaledDetector):
    """Any detection or pose model of ultralytics (AGPL-3.0) with a class for faces; YOLOv8n is the usual one."""

    @dataclass(frozen=True)
    class Options(ScaledDetector.Options):
        threshold: float = 0.5
        size: int = 640
        device: str = "cpu"
        """Where the model runs: cpu, cuda, cuda:1…"""

    options: Options

    def __init__(self, request: DetectorRequest) -> None:
        super().__init__(request)
        assert request.weights is not None  # the bench has checked
        torch = load("torch", "pip install torch")  # before ultralytics, which would have it use one thread only
        with _hermetic():
            tasks = load("ultralytics.nn.tasks", INSTALL)
            self._suppress = load("ultralytics.utils.nms", INSTALL).non_max_suppression
            self._model = _read(tasks, request.weights)
        self._torch = torch
        names = dict(enumerate(self._model.names)) if isinstance(self._model.names, list) else self._model.names
        self._classes = _face_classes(names, request.weights)
        self._named = len(names)
        try:
            self._model.to(self.options.device)
        except (RuntimeError, AssertionError) as error:
            raise UserError(
                f"--set device={self.options.device} cannot be used", found=str(error), remedy="write --set device=cpu"
            ) from error

    def boxes(self, small: Pixels) -> list[list[float]]:
        torch = self._torch
        with torch.inference_mode():
            image = torch.from_numpy(_padded(small)).to(self.options.device)
            seen = self._model(image.permute(2, 0, 1)[None].float() / 255)
            kept = self._suppress(
                seen,
                self.options.threshold,
                OVERLAP,
                classes=self._classes,
                nc=self._named,
                end2end=getattr(self._model, "end2end", False),
            )[0]
        boxes: list[list[float]] = kept[:, :5].tolist()
        return boxes


def _padded(small: Pixels) -> Pixels:
    """Return a copy with grey to the right and below, so that the strides of the network fit into it."""
    height, width = small.shape[:2]
    padded = np.full((-(-height // 32) * 32, -(-width // 32) * 32, 3), GREY, np.uint8)
    padded[:height, :width] = small
    return padded


def _read(tasks: Any, weights: Path) -> Any:
    """Read a checkpoint; of what its pickle asks for, only the known layers of torch and ultralytics are made."""
    if not getattr(getattr(tasks, "_SafeLoad", None), "SUPPORTED", False):
        raise UserError(
            "this ultralytics would run whatever code is in the weights", remedy=f"{INSTALL} --upgrade"
        )  # its own switch would quietly do nothing
    try:
        tasks.SAFE_LOAD = True
        model, _ = tasks.load_checkpoint(weights)
    except (TypeError, KeyError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"--detector-weights {weights} cannot be used",
            expected="a detection model that ultralytics saved, such as yolov8n-face.pt",
            found=first_line(error),
            remedy="get the file anew, from where you trust it",
        ) from error
    if getattr(model, "task", "detect") not in ("detect", "pose"):
        raise UserError(
            f"--detector-weights {weights} cannot be used",
            expected="a model for detection",
            found=f"a model for {model.task}",
            remedy="choose another file",
        )
    return model


def _face_classes(names: Mapping[int, str], weights: Path) -> list[int]:
    """Return which classes are faces: those that say so, or the only one."""
    faces = [number for number, name in names.items() if "face" in str(name).casefold()]
    if faces or len(names) == 1:
        return faces or list(names)
    raise UserError(
        f"--detector-weights {weights} finds no faces",
        expected="a class named face, or one class only",
        found=f"{len(names)} classes: {', '.join(map(str, list(names.values())[:4]))}…",
        remedy="use weights that were trained on faces, such as yolov8n-face.pt",
    )


@contextmanager
def _hermetic() -> Iterator[None]:
    """While ultralytics is imported and used first, keep it from the network, from pip, from stdout and from the user's
    settings, and keep it from changing how many threads others use."""
    cv2 = opencv()
    threads = cv2.getNumThreads()
    with TemporaryDirectory(prefix="coabench-yolo-") as settings:
        wanted = {
            "YOLO_OFFLINE": "1",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_VERBOSE": "false",
            "YOLO_CONFIG_DIR": settings,
            "ULTRALYTICS_SAFE_LOAD": "1",
        }
        before = {name: os.environ.get(name) for name in (*wanted, "OMP_NUM_THREADS")}
        os.environ.update(wanted)
        try:
            yield
        finally:
            cv2.setNumThreads(threads)  # ultralytics sets it to one
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
