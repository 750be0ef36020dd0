"""A detector in a process of its own: the same faces, its errors told, and gone when it is closed."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from coabench.errors import JobError, UserError
from coabench.live.detector_process import Apart
from coabench.registry.detectors import find_detector


def test_it_finds_what_the_detector_finds() -> None:
    choice = find_detector("none")
    detector = Apart("none", None, choice.options())
    for width in (64, 1920):
        frame = np.zeros((48, width, 3), np.uint8)
        assert detector.detect(frame) == choice.open().detect(frame)
        assert detector.detect(frame[:, ::2])[0].box == (0, 0, width // 2, 48)
    detector.close()


def test_what_cannot_be_opened_is_told_as_the_detector_tells_it(tmp_path: Path) -> None:
    weights = tmp_path / "a.onnx"
    weights.write_bytes(b"no model")
    with pytest.raises(UserError) as there:
        Apart("yunet", weights, find_detector("yunet", weights).options())
    with pytest.raises(UserError) as here:
        find_detector("yunet", weights).open()
    assert str(there.value) == str(here.value)


def test_a_failure_while_it_runs_is_told_and_so_is_its_death() -> None:
    detector = Apart("none", None, find_detector("none").options())
    with pytest.raises(JobError, match="the detector failed"):
        detector.detect(np.zeros((), np.uint8))
    assert detector.detect(np.zeros((4, 4, 3), np.uint8))
    os.kill(detector._process.pid, signal.SIGTERM)
    detector._process.wait()
    with pytest.raises(JobError, match="has ended"):
        detector.detect(np.zeros((4, 4, 3), np.uint8))
    detector.close()
