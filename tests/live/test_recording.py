"""Recordings: they can be played, keep their time, and are refused before anything starts."""

import os
from pathlib import Path

import numpy as np
import pytest

from coabench.errors import UserError
from coabench.live.recording import CODECS, Recording, check_recording, count_frames
from coabench.live.sources import open_source

pytest.importorskip("cv2", reason="OpenCV is not installed")


def grey(value: int, width: int = 64, height: int = 48) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), value, np.uint8)


def brightness(path: Path) -> list[int]:
    return [round(float(f.image.mean())) for f in open_source(str(path), print).frames()]


@pytest.mark.parametrize("suffix", CODECS)
def test_every_suffix_that_is_offered_can_be_written_and_played(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    check_recording(path, "--record")
    assert list(tmp_path.iterdir()) == []
    with Recording(path, 25.0) as recording:
        for number in range(25):
            recording.write(grey(number * 10), number / 25)
    assert count_frames(path) == 25
    assert brightness(path) == pytest.approx([n * 10 for n in range(25)], abs=6)


def test_frames_that_come_irregularly_keep_their_time(tmp_path: Path) -> None:
    times = [0.0, 0.01, 0.02, 0.1, 0.5, 0.52, 1.0]
    with Recording(tmp_path / "a.avi", 10.0) as recording:
        for number, time in enumerate(times):
            recording.write(grey(number * 30), time)
    # Ten pictures a second: of the three at the beginning one is kept, the gaps are bridged.
    shown = [round(value / 30) for value in brightness(tmp_path / "a.avi")]
    assert shown == [0, 3, 4, 4, 4, 4, 6, 6, 6, 6, 6]


def test_a_long_pause_is_cut_out(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.avi", 10.0) as recording:
        for time in (0.0, 0.1, 3600.0, 3600.1):
            recording.write(grey(0), time)
    assert count_frames(tmp_path / "a.avi") == 4


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.avi", 10.0) as recording:
        for number, (width, height) in enumerate([(65, 49), (65, 49), (130, 98), (20, 200)]):
            recording.write(grey(200, width, height), number / 10)
    frames = [f.image for f in open_source(str(tmp_path / "a.avi"), print).frames()]
    assert [f.shape for f in frames] == [(48, 64, 3)] * 4
    assert [int(f[24, 32, 0]) for f in frames] == pytest.approx([200] * 4, abs=6)
    assert frames[3][24, 2].max() < 30


def test_a_recording_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.mp4", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_harmless_and_the_file_is_valid_after_an_error(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4", 10.0)

    def interrupted() -> None:
        with recording:
            recording.write(grey(1), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    recording.close()
    assert count_frames(tmp_path / "a.mp4") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.xyz", "there is no codec for .xyz"), ("a", "a name without a suffix"), ("no/a.mp4", "there is no folder")],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        check_recording(tmp_path / name, "--record-clean")
    assert "--record-clean" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("dear to me")
    with pytest.raises(UserError, match="already there"):
        check_recording(tmp_path / "a.mp4", "--record")
    assert (tmp_path / "a.mp4").read_text() == "dear to me"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="read-only"):
        check_recording(tmp_path / "a.mp4", "--record")
