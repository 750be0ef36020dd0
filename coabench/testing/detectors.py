"""Checks of a detector: boxes inside the frame, the same for the same frame."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.errors import UserError
from coabench.registry.detectors import unavailable
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration
from coabench.testing.defects.detectors import (
    BAD_CHECK,
    BAD_SCORE,
    FAILS,
    NO_DETECTOR,
    NO_FACES,
    OUTSIDE,
    PRINTS,
    UNSORTED,
    UNSTEADY,
    WRITES,
)
from coabench.testing.findings import Finding, Findings, Stop, unchecked
from coabench.testing.options import check_declared, check_read
from coabench.testing.pictures import draw_face
from coabench.testing.targets import detail_of, loaded, named


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
    subject = named("detectors", detector)
    return _Check(subject, Findings(f"detector {subject.name!r}"), weights, assignments or {}).all()


class _Check:
    def __init__(
        self, subject: Registration, findings: Findings, weights: Path | None, assignments: dict[str, str]
    ) -> None:
        self.subject, self.findings, self.weights, self.assignments = subject, findings, weights, assignments

    def all(self) -> list[Finding]:
        try:
            problem = unavailable(self.subject)
            if problem is not None:
                failed = problem.reason.startswith("its check failed")
                self.findings.need(not failed, BAD_CHECK, problem.reason)
                return self.findings.all or [unchecked(self.findings.subject, problem.reason, problem.remedy)]
            if self.weights is None and detail_of(self.subject, "weights", ()):
                return [unchecked(self.findings.subject, "it needs its weights", "pass --detector-weights FILE")]
            self.prepare()
        except UserError as error:
            return [
                *self.findings.all,
                unchecked(self.findings.subject, error, error.remedy or "install what is missing"),
            ]
        except Stop:
            return self.findings.all
        return self.findings.run([self.faces, self.options])

    def prepare(self) -> None:
        factory = self.factory = loaded(self.subject, self.findings)
        declared = getattr(factory, "Options", Detector.Options)
        check_declared(self.findings, declared)
        self.defaults = distribute(self.assignments, {"detector": declared})["detector"]
        self.detector = self.make(self.defaults)
        self.findings.need(callable(getattr(self.detector, "detect", None)), NO_DETECTOR, "no method detect")
        if self.findings.all:
            raise Stop

    def make(self, options: Any) -> Detector:
        request = DetectorRequest(self.weights, options)
        made: Detector = self.findings.attempt(NO_DETECTOR, self.factory, request, allowed=UserError)
        return made

    def faces(self) -> None:
        """Look at every frame twice, with others in between, in another thread than it was made in."""
        seen = frames()
        first = {what: self.look(self.detector, what, frame) for what, frame in seen.items()}
        again = {what: self.look(self.detector, what, frame) for what, frame in seen.items()}
        for what in seen:
            self.findings.need(first[what] == again[what], UNSTEADY, f"{what}: {first[what]} and {again[what]}")

    def look(self, detector: Detector, what: str, frame: Pixels) -> list[Face]:
        copy, printed = frame.copy(), io.StringIO()
        with redirect_stdout(printed):
            faces = self.findings.attempt(FAILS, _in_a_thread, detector.detect, copy)
        self.findings.need(not printed.getvalue(), PRINTS, repr(printed.getvalue()[:80]))
        self.findings.need(bool((copy == frame).all()), WRITES, what)
        if not isinstance(faces, list) or not all(isinstance(face, Face) for face in faces):
            self.findings.add(NO_FACES, f"{what}: {faces!r}"[:200])
            raise Stop
        height, width = frame.shape[:2]
        for face in faces:
            left, top, right, bottom = face.box
            inside = 0 <= left < right <= width and 0 <= top < bottom <= height
            whole = all(isinstance(edge, int) for edge in face.box)
            self.findings.need(inside and whole, OUTSIDE, f"{what} of {width}×{height} pixels: {face.box}")
            number = isinstance(face.score, int | float)
            self.findings.need(number and 0 <= face.score <= 1, BAD_SCORE, f"{what}: {face.score!r}")
        scores = [face.score for face in faces]
        self.findings.need(scores == sorted(scores, reverse=True), UNSORTED, f"{what}: {scores}")
        return faces

    def options(self) -> None:
        """An option that is never read does nothing; what others do to drawn faces cannot be known."""

        def use(options: Any) -> None:
            detector = self.make(options)
            for what, frame in frames().items():
                self.look(detector, what, frame)

        check_read(self.findings, self.defaults, use)


def _in_a_thread(detect: Callable[[Pixels], Any], frame: Pixels) -> Any:
    """Call *detect* as the webcam does, in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(detect, frame).result()
