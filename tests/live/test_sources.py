"""Where frames come from: cameras, videos, folders, streams; and what is said when they do not come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.films import cut_off, damaged, grey, timed, written
from support.stream import streaming

from coabench.errors import UserError
from coabench.live import sources
from coabench.live.capture import Capture
from coabench.live.recording import Recording
from coabench.live.snapshot import Frame
from coabench.live.sources import Live, Source, open_source, shown

pytest.importorskip("cv2", reason="OpenCV is not installed")


def video(path: Path, frames: int = 12, fps: float = 12.0, size: tuple[int, int] = (64, 48)) -> Path:
    """Write a video whose frames say their number by their brightness."""
    return written(path, [grey(20 * number, *size) for number in range(frames)], fps)


def opened(spec: object) -> tuple[Source, list[str]]:
    notes: list[str] = []
    return open_source(str(spec), notes.append), notes


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
def test_a_video_gives_its_frames_in_order_with_its_times(tmp_path: Path, suffix: str) -> None:
    source, notes = opened(video(tmp_path / f"a{suffix}"))
    frames = list(source.frames())
    assert notes == []
    assert [f.index for f in frames] == list(range(12))
    assert [f.time for f in frames] == pytest.approx([n / 12 for n in range(12)], abs=0.002)
    assert [round(float(f.image.mean()) / 20) for f in frames] == list(range(12))
    assert frames[0].image.shape == (48, 64, 3)
    assert source.fps == pytest.approx(12.0)
    assert not source.live


GREYS = [grey(12 * n, 160, 120) for n in range(20)]


def noisy() -> list[Any]:
    """Return pictures that take some bytes, so that damage hits few of them."""
    noise = np.random.default_rng(0)
    return [np.concatenate([grey[:60], noise.integers(0, 255, (60, 160, 3), np.uint8)]) for grey in GREYS]


def test_a_film_that_ends_early_says_so(tmp_path: Path) -> None:
    source, notes = opened(cut_off(written(tmp_path / "a.avi", noisy(), 10.0), 0.45))
    frames = list(source.frames())
    assert 5 < len(frames) < 12
    (note,) = notes
    assert note.startswith(f"{tmp_path}/a.avi: {len(frames)} of 20 announced frames; it ends early, at ")
    assert note.endswith(" s of 2.0 s")


def test_a_film_is_read_past_bad_frames(tmp_path: Path) -> None:
    source, notes = opened(damaged(written(tmp_path / "a.mp4", noisy(), 10.0), 0.4, 0.6))
    frames = list(source.frames())
    assert frames[-1].time == pytest.approx(1.9, abs=0.002)
    assert [f.index for f in frames] == list(range(len(frames)))
    assert [f.time for f in frames] == sorted({f.time for f in frames})
    read = len(frames)
    assert 12 < read < 20
    lost = f"{20 - read} could not be decoded"
    assert notes == [f"{tmp_path}/a.mp4: {read} of 20 announced frames; {lost}"]


def test_a_film_that_lost_frames_unnoticed_says_so(tmp_path: Path) -> None:
    source, notes = opened(damaged(written(tmp_path / "a.mkv", noisy(), 10.0), 0.4, 0.6))
    frames = list(source.frames())
    assert frames[-1].time == pytest.approx(1.9, abs=0.002)
    assert len(frames) < 20
    assert notes == [f"{tmp_path}/a.mkv: {len(frames)} of 20 announced frames; some are damaged, or the rate varies"]


def test_a_film_whose_first_frame_is_bad_is_read(tmp_path: Path) -> None:
    path = timed(tmp_path / "a.mkv", GREYS, [n / 10 for n in range(20)])
    data = bytearray(path.read_bytes())
    first = data.index(b"\xff\xd8")
    data[first : first + 640] = bytes(640)
    path.write_bytes(data)
    source, notes = opened(path)
    frames = list(source.frames())
    assert [round(float(f.image.mean()) / 12) for f in frames] == list(range(1, 20))
    assert [f.time for f in frames] == pytest.approx([n / 10 for n in range(1, 20)])
    assert notes == [f"{path}: 19 of 20 announced frames; 1 could not be decoded"]


def test_times_are_those_of_the_frames(tmp_path: Path) -> None:
    times = [0.0, 0.5, 0.51, 0.52, 0.52, 0.53, 3.6, 4.0]
    source, _ = opened(timed(tmp_path / "a.mkv", GREYS[:8], times))
    assert [f.time for f in source.frames()] == pytest.approx([*times[:4], 0.521, *times[5:]])


def test_frames_are_rgb(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.mp4", 10.0) as recording:
        recording.write(np.full((48, 64, 3), (200, 20, 20), np.uint8), 0.0)
    (frame,) = opened(tmp_path / "a.mp4")[0].frames()
    red, green, blue = frame.image.mean(axis=(0, 1))
    assert red > 150 > 60 > max(green, blue)


def test_a_folder_gives_its_images_by_name_with_numbers_as_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame3.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("x")
    source, notes = opened(tmp_path)
    frames = list(source.frames())
    assert [int(f.image[0, 0, 0]) for f in frames] == [1, 2, 10]
    assert [f.index for f in frames] == [0, 1, 2]
    assert notes == ["frame3.png cannot be read as an image and is skipped"]


def test_a_folder_gives_the_images_of_the_folders_in_it_each_with_its_name(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/z.png", "c.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "b" / "again").symlink_to(tmp_path / "in")  # not followed, or there were no end
    (tmp_path / "in" / "b" / "1.png").write_bytes(b"no image")
    source, notes = opened(tmp_path / "in")
    assert [frame.file for frame in source.frames()] == ["a/z.png", "b/2.png", "b/10.png", "c.png"]
    assert notes == ["b/1.png cannot be read as an image and is skipped"]
    assert [frame.file for frame in opened(tmp_path / "in" / "c.png")[0].frames()] == ["c.png"]


def test_one_image_is_a_source_and_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # as phones write it: turned by 90°
    Image.new("L", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    (frame,) = opened(tmp_path / "a.jpg")[0].frames()
    assert frame.image.shape == (8, 4, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nothing.mp4", "there is nothing there"),
        (lambda p: _write(p / "junk.mp4", b"\x00" * 999), "cannot be read as a video"),
        (lambda p: _write(p / "empty.mp4", b""), "cannot be read as a video"),
        (lambda p: _write(p / "junk.png", b"x"), "holds no image that can be read"),
        (lambda p: p, "holds no image that can be read"),
        (lambda p: "17", "no such camera"),
        (lambda p: "/dev/video17", "no such camera"),
        (lambda p: "rtsp://user:secret@127.0.0.1:9/x", "…@127.0.0.1:9/x cannot be opened"),
        (lambda p: "http://127.0.0.1:9/x?password=secret", "127.0.0.1:9/x?password=… cannot be opened"),
        (lambda p: "http://127.0.0.1:9/x", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_reported(
    tmp_path: Path, make: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(UserError) as refused:
        opened(make(tmp_path))
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.remedy


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_missing_camera_lists_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(sources, "cameras", lambda: ["/dev/video2", "/dev/video4"])
    with pytest.raises(UserError, match="one of these cameras: /dev/video2, /dev/video4"):
        opened(17)


def test_passwords_are_not_shown() -> None:
    assert shown("rtsp://me:geh@im@10.0.0.1/a?b=c&secret") == "rtsp://…@10.0.0.1/a?b=…&…"
    assert shown("--source=http://me:x@h/a") == "--source=http://…@h/a"
    assert shown("http://h:80/a@b") == "http://h:80/a@b"
    assert shown("a.mp4") == "a.mp4"


class Flaky:
    """Stands for OpenCV's capture of a camera that is pulled out now and then."""

    def __init__(self, pictures: int) -> None:
        self.left = pictures

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return (True, np.zeros((4, 4, 3), np.uint8)) if self.left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return 0.0

    def release(self) -> None:
        return


def test_a_camera_that_fails_is_opened_again_and_in_the_end_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.0)
    captures = iter([Flaky(3), Flaky(2), *(Flaky(0) for _ in range(sources.RETRIES))])
    notes: list[str] = []
    source = Live("camera", notes.append, lambda: next(captures))
    frames = list(source.frames())
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert notes[0] == f"camera gives no picture; trying again (1 of {sources.RETRIES})"
    assert notes[-1] == "camera is gone"
    assert len(notes) == 1 + sources.RETRIES + 1


def test_a_camera_that_gives_nothing_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="gives no picture"):
        Live("camera", print, lambda: Flaky(0))


def test_a_stream_over_http_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.0)
    with streaming(np.zeros((48, 64, 3), np.uint8), pictures=6) as address:
        source, _ = opened(address)
        assert source.live
        frames = source.frames()
        assert [next(frames).index for _ in range(10)] == list(range(10))  # more than one connection gives
        source.close()
        assert list(frames) == []


def test_a_stream_that_is_gone_for_good_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.0)
    with streaming(np.zeros((48, 64, 3), np.uint8), pictures=6, answers=3) as address:
        source, notes = opened(address)
        assert len(list(source.frames())) >= 6
        assert "trying again (1 of 5)" in notes[0]
        assert notes[-1].endswith("is gone")


@pytest.mark.slow
def test_a_stream_that_stalls_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.0)
    monkeypatch.setattr(sources, "STALL", 5.0)
    with streaming(np.zeros((48, 64, 3), np.uint8), pictures=40, answers=2, hangs=True) as address:
        source, notes = opened(address)
        assert len(list(source.frames())) >= 60  # of both connections
        assert "trying again" in notes[0]
        assert notes[-1].endswith("is gone")


class Still(Source):
    """Gives frames at 1,000 a second, and then waits or fails."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        super().__init__("still", print)
        self.count, self.error = count, error

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            yield Frame(np.zeros((2, 2, 3), np.uint8), index / 1000, index)
        if self.error:
            raise self.error


def test_capture_keeps_the_newest_frame_and_ends_with_the_source() -> None:
    capture = Capture(Still(50))
    taken = []
    while not capture.ended:
        frame = capture.take(60.0)
        if frame is not None:
            taken.append(frame.index)
    assert taken[-1] == 49
    assert taken == sorted(taken)
    assert capture.close()


def test_capture_plays_a_video_at_its_own_speed_and_pauses_with_it() -> None:
    capture = Capture(Still(10**9))
    assert capture.take(60.0) is not None
    capture.pause(True)
    capture.take(0.05)  # what was under way
    assert capture.take(0.1) is None
    capture.pause(False)
    assert capture.take(60.0) is not None
    assert capture.close()


def test_capture_tells_what_ended_the_source() -> None:
    capture = Capture(Still(0, ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError):
        capture.take(60.0)


def test_a_gif_is_a_film_alone_and_a_picture_in_a_folder(tmp_path: Path) -> None:
    pictures = [Image.new("L", (64, 48), grey) for grey in (0, 90, 180, 250)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    alone, inside = (list(open_source(str(path), print).frames()) for path in (tmp_path / "a.gif", tmp_path))
    assert len(alone) == 4
    assert len(inside) == 1
