"""Checks of a detector: boxes inside the frame, the same for the same frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from math import isfinite
from pathlib import Path
from typing import Any

from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.errors import UserError
from coabench.registry.detectors import unavailable
from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import detectors as defects
from coabench.testing.findings import Finding
from coabench.testing.options import check_read
from coabench.testing.pictures import draw_face


def frames() -> dict[str, Pixels]:
    """Return frames of several sizes, by what is in them."""
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    face = np.full((240, 320, 3), 90, np.uint8)
    face[40:200, 80:240] = np.asarray(draw_face("Happiness", size=160))
    edge = np.zeros((97, 131, 3), np.uint8)
    edge[60:, 90:] = np.asarray(draw_face("Neutral", size=60))[:37, :41]
    return {
        "a black frame": np.zeros((120, 160, 3), np.uint8),
        "a white frame": np.full((33, 57, 3), 255, np.uint8),
        "noise": noise,
        "a drawn face": face,
        "a face at the edge": edge,
        "a frame of 16 by 16": np.ascontiguousarray(noise[:16, :16]),
    }


def check(
    detector: str | Registration | Callable[[DetectorRequest], Detector],
    weights: Path | None = None,
    *,
    assignments: dict[str, str] | None = None,
) -> list[Finding]:
    """Check a detector and return what is wrong with it.

    Args:
        detector: the name it is registered under, its registration, or the target itself.
        weights: ``--detector-weights``.
        assignments: ``--set`` options.
    """
    return _Checks(detector, assignments, weights).result()


class _Checks(Checks):
    kind, part, remedy = "detectors", "detector", "install what is missing"

    def __init__(self, what: Any, assignments: Mapping[str, str] | None, weights: Path | None) -> None:
        super().__init__(what, assignments)
        self.weights = weights

    def checks(self) -> Iterator[Check]:
        problem = unavailable(self.registration)
        if problem is not None:
            if problem.reason.startswith("its check failed"):
                self.fail(defects.BAD_CHECK, problem.reason)
            raise UserError(problem.reason, remedy=problem.remedy)
        if self.weights is None and self.detail("weights"):
            raise UserError("it needs its weights", remedy="pass --detector-weights FILE")
        self.factory = self.load()
        self.read_options(getattr(self.factory, "Options", Detector.Options))
        self.detector = self.make(self.defaults)
        self.need_methods(defects.NO_DETECTOR, self.detector, "detect")
        yield from (self.faces, self.options)

    def make(self, options: Any) -> Detector:
        request = DetectorRequest(self.weights, options)
        made: Detector = self.attempt(defects.NO_DETECTOR, self.factory, request, allowed=UserError)
        return made

    def faces(self) -> None:
        """Look at every frame twice, with others in between, in another thread than it was made in."""
        first, again = (
            {what: self.look(self.detector, what, frame) for what, frame in frames().items()} for _ in range(2)
        )
        for what in first:
            self.need(first[what] == again[what], defects.UNSTEADY, f"{what}: {first[what]} and {again[what]}")

    def look(self, detector: Detector, what: str, frame: Pixels) -> list[Face]:
        copy, printed = frame.copy(), io.StringIO()
        with redirect_stdout(printed):
            faces = self.attempt(defects.FAILS, _in_a_thread, detector.detect, copy)
        self.need(not printed.getvalue(), defects.PRINTS, repr(printed.getvalue()[:80]))
        self.need(bool((copy == frame).all()), defects.WRITES, what)
        if not isinstance(faces, list) or not all(isinstance(face, Face) for face in faces):
            self.fail(defects.NO_FACES, f"{what}: {faces!r}"[:200])
        height, width = frame.shape[:2]
        for face in faces:
            left, top, right, bottom = face.box
            inside = 0 <= left < right <= width and 0 <= top < bottom <= height
            whole = all(isinstance(edge, int) for edge in face.box)
            self.need(inside and whole, defects.OUTSIDE, f"{what} of {width}×{height} pixels: {face.box}")
            number = isinstance(face.score, int | float)
            self.need(number and 0 <= face.score <= 1, defects.BAD_SCORE, f"{what}: {face.score!r}")
            self.need(_are_landmarks(face.landmarks), defects.BAD_LANDMARKS, f"{what}: {face.landmarks!r}"[:200])
        scores = [face.score for face in faces]
        self.need(scores == sorted(scores, reverse=True), defects.UNSORTED, f"{what}: {scores}")
        return faces

    def options(self) -> None:
        """An option that is never read does nothing; what others do to drawn faces cannot be known."""

        def use(options: Any) -> None:
            detector = self.make(options)
            for what, frame in frames().items():
                self.look(detector, what, frame)

        check_read(self, self.defaults, use)


def _are_landmarks(landmarks: Any) -> bool:
    """Whether these are five points, or None."""
    if landmarks is None:
        return True
    try:
        return len(landmarks) == 5 and all(isfinite(x) and isfinite(y) for x, y in landmarks)
    except (TypeError, ValueError):
        return False


def _in_a_thread(detect: Callable[[Pixels], Any], frame: Pixels) -> Any:
    """Call *detect* as the webcam does, in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(detect, frame).result()
