"""Defects of detectors, planted, are named; detectors that work here have none."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from support.planted import assert_named
from support.process import ROOT

from coabench.detector import Detector, Face, Unavailable, clipped
from coabench.errors import UserError
from coabench.registry.detectors import unavailable
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.testing.detectors import check


class Sound(Detector):
    """Takes what is bright for a face."""

    @dataclass(frozen=True)
    class Options:
        above: int = 128

    def __init__(self, request: Any) -> None:
        self.options = request.options

    def detect(self, frame: Any) -> list[Face]:
        rows, columns = (frame.min(axis=2) > self.options.above).nonzero()
        if not len(rows):
            return []
        face = clipped(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.5, frame)
        return [face] if face else []


class Returns(Sound):
    """Returns the same, whatever is in the frame."""

    what: Any = None

    def detect(self, frame: Any) -> Any:
        return [Face((0, 0, 3, 3), 0.5)]


class Nothing(Returns):
    def detect(self, frame: Any) -> Any:
        return None


class Tuples(Returns):
    def detect(self, frame: Any) -> Any:
        return [(0, 0, 3, 3, 0.9)]


class TooLarge(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((0, 0, 40, 40), 0.5)]


class Negative(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((-1, 0, 4, 4), 0.5)]


class Empty(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((4, 4, 4, 8), 0.5)]


class Fractions(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((0.5, 0, 4.5, 4), 0.5)]  # type: ignore[arg-type]


class Percent(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((0, 0, 3, 3), 87.0)]


class FourLandmarks(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((0, 0, 3, 3), 0.5, ((0, 0), (1, 0), (0, 1), (1, 1)))]  # type: ignore[arg-type]


class Unsorted(Returns):
    def detect(self, frame: Any) -> Any:
        return [Face((0, 0, 3, 3), 0.5), Face((0, 0, 4, 4), 0.9)]


class Tracks(Returns):
    """Smooths over the frames that it has seen."""

    last = 0

    def detect(self, frame: Any) -> Any:
        self.last += 1
        return [Face((0, 0, 3, 3), 1 / self.last)]


class Writes(Sound):
    def detect(self, frame: Any) -> Any:
        frame[:2, :2] = 0
        return super().detect(frame)


class Prints(Sound):
    def detect(self, frame: Any) -> Any:
        print("0: 640x480 1 face, 12 ms")
        return super().detect(frame)


class CrashesWithoutFaces(Sound):
    def detect(self, frame: Any) -> Any:
        rows, columns = (frame.min(axis=2) > 128).nonzero()
        return [clipped(columns.min(), rows.min(), columns.max(), rows.max(), 1, frame)]


class OneThread(Sound):
    """Belongs to the thread that made it."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self.thread = threading.get_ident()

    def detect(self, frame: Any) -> Any:
        if threading.get_ident() != self.thread:
            raise RuntimeError("SQLite objects created in a thread can only be used in that same thread")
        return super().detect(frame)


class CannotBeMade(Sound):
    def __init__(self, request: Any) -> None:
        raise KeyError("weights")


class Ignores(Sound):
    @dataclass(frozen=True)
    class Options:
        above: int = 128
        smallest: int = 20


class NoDetect:
    Options = Sound.Options

    def __init__(self, request: Any) -> None:
        return


PLANTED: list[tuple[Any, str, str]] = [
    (NoDetect, "no-detector", "no method detect"),
    (CannotBeMade, "no-detector", "KeyError: 'weights' (test_detectors.py, line "),
    (Nothing, "no-list-of-faces", "a black frame: None"),
    (Tuples, "no-list-of-faces", "(0, 0, 3, 3, 0.9)"),
    (TooLarge, "box-outside-frame", "57×33 pixels: (0, 0, 40, 40)"),
    (Negative, "box-outside-frame", "(-1, 0, 4, 4)"),
    (Empty, "box-outside-frame", "(4, 4, 4, 8)"),
    (Fractions, "box-outside-frame", "(0.5, 0, 4.5, 4)"),
    (Percent, "score-out-of-range", "87.0"),
    (FourLandmarks, "bad-landmarks", "((0, 0), (1, 0), (0, 1), (1, 1))"),
    (Unsorted, "unsorted-faces", "[0.5, 0.9]"),
    (Tracks, "unsteady-faces", "a black frame"),
    (Writes, "writes-to-frame", "a white frame"),
    (Prints, "prints", "640x480"),
    (CrashesWithoutFaces, "fails", "ValueError"),
    (OneThread, "fails", "SQLite"),
    (Ignores, "ignored-option", "'smallest' is never read"),
]


@pytest.mark.parametrize(("planted", "name", "seen"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_defect_is_named(planted: Any, name: str, seen: str) -> None:
    assert_named(check(planted), name, seen)


def test_a_sound_detector_has_no_finding() -> None:
    assert [str(finding) for finding in check(Sound)] == []


def broken() -> None:
    raise ZeroDivisionError("a defect")


def not_here() -> Unavailable:
    return Unavailable("the camera is gone", "plug it in")


def test_what_is_missing_is_reported_and_a_check_that_fails_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "planted_checks", sys.modules[__name__])
    registration = Registration(
        "mine", "planted_checks:Sound", "p", "1", details={"available": "planted_checks:broken"}
    )
    assert_named(check(registration), "unusable-availability", "ZeroDivisionError: a defect")
    away = Registration("mine", "planted_checks:Sound", "p", "1", details={"available": "planted_checks:not_here"})
    [finding] = check(away)
    assert (finding.defect.level, finding.evidence, finding.defect.remedy) == (
        "unchecked", "the camera is gone", "plug it in",
    )  # fmt: skip
    needy = Registration("mine", "planted_checks:Sound", "p", "1", details={"weights": (".onnx",)})
    [finding] = check(needy)
    assert (finding.defect.level, finding.evidence) == ("unchecked", "it needs its weights")


def test_an_error_in_words_is_no_defect() -> None:
    class NeedsMore(Sound):
        def __init__(self, request: Any) -> None:
            raise UserError("there is no graphics card here", remedy="buy one")

    [finding] = check(NeedsMore)
    assert (finding.defect.level, finding.defect.remedy) == ("unchecked", "buy one")


@pytest.mark.parametrize("name", list(get_plugins().detectors))
def test_detectors_that_ship_conform(name: str) -> None:
    findings = check(name)
    assert [str(finding) for finding in findings if finding.defect.level != "unchecked"] == []
    if name in ("none", "mtcnn"):
        assert findings == []
    if unavailable(get_plugins().detectors[name]) is None and name != "yunet":
        assert findings == []


def test_the_weights_of_yunet_as_they_come_with_the_tests() -> None:
    folder = ROOT / "tests" / "plugins" / "detectors" / "yunet"
    weights = next(folder.glob("*.onnx"), None)
    if weights is None:
        pytest.skip("no weights of YuNet here")
    assert [str(finding) for finding in check("yunet", weights)] == []
