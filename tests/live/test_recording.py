"""Recordings: they can be played, keep their time, and are refused before anything starts."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.films import grey, timed

from coabench.errors import JobError, UserError
from coabench.live.recording import CODECS, Recording, check_recording, count_frames
from coabench.live.sources import open_source
from coabench.support.films import even_rate

pytest.importorskip("cv2", reason="OpenCV is not installed")


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
    # Ten pictures a second: of the three at the beginning one is kept; each is shown until the next one.
    shown = [round(value / 30) for value in brightness(tmp_path / "a.avi")]
    assert shown == [0, 3, 3, 3, 3, 4, 5, 5, 5, 5, 6]
    assert recording.notes == ["a.avi lacks 3 frames, which came faster than 10 a second"]


def test_a_gap_is_kept_and_what_the_user_paused_is_cut(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.avi", 10.0, since=0.0) as recording:
        recording.write(grey(40), 0.2)
        recording.write(grey(80), 3.2)
        recording.skip(60.0)
        recording.write(grey(120), 63.4)
    shown = [round(value / 40) for value in brightness(tmp_path / "a.avi")]
    assert shown == [1] * 32 + [2] * 2 + [3]
    assert recording.notes == []


def test_the_last_frame_is_held_until_the_source_ends(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.avi", 10.0) as recording:
        recording.hold(3.0)  # nothing to hold yet
        recording.write(grey(40), 0.0)
        recording.write(grey(80), 0.2)
        recording.hold(1.0)
        recording.hold(0.5)
        recording.hold(95000.0)  # too long to be true
    assert [round(value / 40) for value in brightness(tmp_path / "a.avi")] == [1] * 2 + [2] * 8


def test_a_clock_that_jumps_does_not_fill_the_disk(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.avi", 10.0) as recording:
        for time in (0.0, 0.1, 95000.0, 95000.1):
            recording.write(grey(0), time)
    assert count_frames(tmp_path / "a.avi") == 4
    assert recording.notes == ["a.avi lacks 95000 s without frames, too long to bridge"]


@pytest.mark.parametrize("rate", [10.0, 29.97, 60.0, 200 / 3, 119.88, 240.0])
def test_any_rate_can_be_written(tmp_path: Path, rate: float) -> None:
    with Recording(tmp_path / "a.mp4", rate) as recording:
        for number in range(10):
            recording.write(grey(20 * number), number / rate)
    assert count_frames(tmp_path / "a.mp4") == 10


FAST = [0.0, 0.5, 1.0, *(1.0 + n / 60 for n in range(1, 13)), 4.2, 4.7]


def test_a_film_of_variable_rate_is_recorded_at_one_that_loses_nothing(tmp_path: Path) -> None:
    source = open_source(str(timed(tmp_path / "a.mkv", [grey(14 * n) for n in range(len(FAST))], FAST)), print)
    with Recording(tmp_path / "b.avi", source.recording_rate(), since=0.0) as recording:
        for frame in source.frames():
            recording.write(frame.image, frame.time)
    shown = [round(value / 14) for value in brightness(tmp_path / "b.avi")]
    assert sorted(set(shown)) == list(range(len(FAST)))
    assert [shown[round(time * recording.fps)] for time in FAST] == list(range(len(FAST)))
    assert shown[round(3.0 * recording.fps)] == 14  # in the gap


@pytest.mark.parametrize(
    ("times", "rate"),
    [([0.0, 0.1, 0.2], 10.0), ([0.0, 0.5, 0.51, 0.52, 3.0], 90.0), ([0.0, 0.001, 0.002, 1.0], 240.0), ([0, 0, 0], 10)],
)
def test_the_rate_at_which_no_two_frames_fall_together(tmp_path: Path, times: list[float], rate: float) -> None:
    assert even_rate(str(timed(tmp_path / "a.mkv", [grey(0)] * len(times), times)), 10.0) == rate


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


@pytest.mark.skipif(os.name != "posix", reason="Windows does not let one delete what is open")
def test_a_recording_that_is_deleted_meanwhile_ends_the_session(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4", 10.0)
    recording.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(JobError, match="was deleted or moved"):
        recording.write(np.zeros((64, 64, 3), np.uint8), 0.1)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_disk_that_fills_is_reported_though_opencv_says_nothing(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 255, (5, 96, 128, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    recording = Recording(tmp_path / f"a{suffix}", 10.0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        for number in range(40):
            recording.write(noise[number % 5], number / 10)
        with pytest.raises(JobError, match="of 40 frames in it"):
            recording.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_recording_ends_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mkv"
    with Recording(path, 10.0) as recording:
        recording.write(np.zeros((64, 64, 3), np.uint8), 0.0)
        monkeypatch.setattr("coabench.live.recording.RESERVE", 2**62)
        with pytest.raises(JobError, match="MiB are free"):
            recording.write(np.zeros((64, 64, 3), np.uint8), 0.1)
    assert count_frames(path) == 1
