"""A detector in a process of its own: the same faces, the same errors, and gone when it is closed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.process import wait_for

from coabench.errors import JobError, UserError
from coabench.live.detector_process import DetectorProcess
from coabench.registry.detectors import find_detector

pytestmark = pytest.mark.process


def test_it_finds_what_the_detector_finds() -> None:
    choice = find_detector("none")
    detector = DetectorProcess("none", None, choice.options())
    for width in (64, 1920):
        frame = np.zeros((48, width, 3), np.uint8)
        assert detector.detect(frame) == choice.open().detect(frame)
        assert detector.detect(frame[:, ::2])[0].box == (0, 0, width // 2, 48)
    detector.close()


def test_the_error_of_opening_is_that_of_the_detector(tmp_path: Path) -> None:
    weights = tmp_path / "a.onnx"
    weights.write_bytes(b"no model")
    with pytest.raises(UserError) as there:
        DetectorProcess("yunet", weights, find_detector("yunet", weights).options())
    with pytest.raises(UserError) as here:
        find_detector("yunet", weights).open()
    assert str(there.value) == str(here.value)


def test_a_failure_while_it_runs_is_reported_and_so_is_its_death() -> None:
    detector = DetectorProcess("none", None, find_detector("none").options())
    with pytest.raises(JobError, match="the detector failed"):
        detector.detect(np.zeros((), np.uint8))
    assert detector.detect(np.zeros((4, 4, 3), np.uint8))
    os.kill(detector._process.pid, signal.SIGTERM)
    detector._process.wait()
    with pytest.raises(JobError, match="has ended"):
        detector.detect(np.zeros((4, 4, 3), np.uint8))
    detector.close()


SCRIPT = """
import numpy as np
from coabench.live.detector_process import DetectorProcess
from coabench.registry.detectors import find_detector
print("script")
detector = DetectorProcess("none", None, find_detector("none").options())
detector.detect(np.zeros((4, 4, 3), np.uint8))
print(detector._process.pid, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_a_script_runs_once_and_its_detector_ends_with_it(tmp_path: Path) -> None:
    """A script without a guard is not run again in the detector's process, which ends where nobody could close it."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    first, pid = done.stdout.split()
    assert first == "script"
    wait_for(lambda: not _runs(int(pid)))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
