"""A film or an address in place of the camera: how it comes, when it waits, and what is left of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.event_loop import run
from support.films import cut_off, grey, written
from support.process import wait_for
from support.stream import streaming

from coabench.errors import JobError, UserError
from coabench.live.browser import player as module
from coabench.live.browser import uploads
from coabench.live.browser.player import Player, Watched
from coabench.live.browser.seating import Seating
from coabench.live.browser.serving import Permissions
from coabench.live.browser.uploads import PIECE, Upload
from coabench.live.snapshot import Frame

pytest.importorskip("cv2")


class Setting:
    """A player whose seat has a viewer, and what it reports."""

    def __init__(self, permissions: Permissions) -> None:
        self.seating, self.changes, self.said = Seating(), list[Watched](), list[str]()
        self.player = Player(permissions, self.seating, self.said.append, self.changes.append)
        self.seating.take("viewer")

    def send(self, data: bytes, name: str = "film.mp4") -> Upload:
        """Send a film."""
        upload = self.player.receive(name, str(len(data)))
        for begin in range(0, len(data), PIECE):
            run(self.player.write(upload, data[begin : begin + PIECE]))
        return upload

    def play(self, data: bytes) -> None:
        run(self.player.play("viewer", self.send(data)))

    def frame(self, shown: bool = True) -> Frame:
        """Wait for the next frame."""
        frames: list[Frame] = []

        def come() -> bool:
            frames.extend(filter(None, [self.player.next(0.0)]))
            return bool(frames)

        wait_for(come)
        if shown:
            self.player.shown(str(frames[0].index))
        return frames[0]

    @property
    def files(self) -> list[Path]:
        folder = self.player._folder
        return [] if folder is None else sorted(Path(folder.name).iterdir())


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting(Permissions(addresses=("127.0.0.1",)))
    yield made
    made.player.close()
    assert made.player._folder is None or not Path(made.player._folder.name).exists()


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    """A film of two seconds that gets brighter."""
    return written(tmp_path / "made.mp4", [grey(20 + 4 * i) for i in range(40)], 20.0).read_bytes()


# -- films that come --------------------------------------------------------------------------------------------------


def test_a_film_is_on_the_disk_piece_by_piece(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PIECE", 1000)
    upload = setting.player.receive("a\u202e\nfilm.mkv", "2500")
    assert upload.name == "a\\u202e\\nfilm.mkv"
    for there in (1000, 2000, 2500):
        assert not upload.complete
        upload.write(b"\x1aE\xdf\xa3" + bytes(min(996, there - upload.received - 4)))
        assert [file.stat().st_size for file in setting.files] == [there]
    assert upload.complete
    assert setting.files[0].parent.stat().st_mode & 0o077 == 0


PLAYLISTS = {
    "HLS": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "SDP": b"v=0\nc=IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
    "DASH": b'<?xml version="1.0"?><MPD>',
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "nothing much": b"abc",
}


@pytest.mark.parametrize("data", PLAYLISTS.values(), ids=PLAYLISTS)
def test_what_makes_ffmpeg_open_other_files_is_no_film(setting: Setting, data: bytes) -> None:
    upload = setting.player.receive("film.mp4", str(len(data)))
    with pytest.raises(UserError, match="this is no film"):
        upload.write(data)
    assert setting.files[0].stat().st_size == 0


@pytest.mark.parametrize("size", ["0", "", "-5", "x", str(3 * 1024**3), "9" * 30])
def test_the_size_is_bounded(setting: Setting, size: str) -> None:
    with pytest.raises(UserError, match=r"the film is (too large|empty)"):
        setting.player.receive("film.mp4", size)
    assert setting.files == []


def test_no_more_comes_than_was_announced(setting: Setting) -> None:
    upload = setting.player.receive("film.mp4", "100")
    for piece in (bytes(101), b"", bytes(PIECE + 1)):
        with pytest.raises(UserError, match="piece"):
            upload.write(piece)


def test_a_full_disk_is_reported(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SPARE", 10**18)
    with pytest.raises(UserError, match="no room"):
        setting.player.receive("film.mp4", "100")


def test_a_torn_film_is_refused_and_deleted_and_the_old_source_goes_on(
    setting: Setting, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.play(film)
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(film)
    with pytest.raises(UserError, match="the film cannot be read") as refused:
        setting.play(cut_off(torn, 0.3).read_bytes())
    assert "ffmpeg" in str(refused.value.remedy)
    monkeypatch.setattr(uploads, "MAX_PIXELS", 10)
    with pytest.raises(UserError, match="the film cannot be read"):
        setting.play(film)
    assert [change.name for change in setting.changes] == ["film.mp4"]
    assert setting.frame()
    assert len(setting.files) == 1


def test_films_can_be_left_out() -> None:
    with pytest.raises(UserError, match="takes no films"):
        Setting(Permissions(films=False)).player.receive("film.mp4", "100")


# -- looking ----------------------------------------------------------------------------------------------------------


def test_a_film_is_a_scene_of_its_own_and_is_deleted_with_it(setting: Setting, film: bytes) -> None:
    before = setting.seating.begin()
    setting.play(film)
    first = setting.frame()
    assert (setting.player.watched.kind, setting.player.watched.since) == ("film", first.index)
    assert first.image.shape == (48, 64, 3)
    second = setting.frame()
    assert second.index == first.index + 1
    assert second.time > first.time
    assert first.scene == second.scene
    assert len(setting.files) == 1
    setting.play(film)
    other = setting.frame()
    assert other.scene not in (before, first.scene)
    assert other.time > second.time + 5
    wait_for(lambda: len(setting.files) == 1)
    setting.player.back()
    assert (setting.player.watched.kind, setting.player.next(0.0)) == ("camera", None)
    wait_for(lambda: setting.files == [])
    assert [change.name for change in setting.changes] == ["film.mp4", "film.mp4", "browser"]


def test_a_film_waits_for_the_page(setting: Setting, film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOLD", 0.1)
    setting.play(film)
    last = setting.frame(shown=False)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert setting.player.next(0.0) is None
        time.sleep(0.02)
    setting.player.shown("no number")
    setting.player.shown(str(last.index + 7))
    assert setting.player.next(0.0) is None
    setting.player.shown(str(last.index))
    assert setting.frame().time - last.time < 0.7


def test_a_film_ends_and_is_played_again(setting: Setting, film: bytes) -> None:
    setting.play(film)
    first = setting.frame()

    def ended() -> bool:
        frame = setting.player.next(0.0)
        setting.player.shown(str(frame.index) if frame else "")
        return setting.player.watched.ended

    wait_for(ended)
    run(setting.player.again("viewer"))
    assert not setting.player.watched.ended
    again = setting.frame()
    assert np.abs(again.image.astype(int) - first.image).max() < 12  # it began anew
    assert again.scene != first.scene
    assert len(setting.files) == 1


def test_who_has_lost_the_seat_gets_no_source(setting: Setting, film: bytes) -> None:
    upload = setting.send(film)
    setting.seating.leave("viewer")
    with pytest.raises(UserError, match="the seat was lost"):
        run(setting.player.play("viewer", upload))
    assert setting.changes == []
    wait_for(lambda: setting.files == [])


def test_an_address_is_opened_and_named_without_its_password(setting: Setting) -> None:
    with streaming(grey(99)) as address:
        run(setting.player.dial("viewer", address.replace("http://", "http://user:hunter22@")))
        assert setting.frame().image.mean() == pytest.approx(99, abs=2)
        assert setting.player.watched.kind == "address"
        assert setting.player.watched.name == address.replace("http://", "http://…@")


def test_an_address_that_shows_nothing_is_reported_in_words(setting: Setting) -> None:
    with streaming(grey(99), answers=0) as address, pytest.raises(UserError) as refused:
        run(setting.player.dial("viewer", address.replace("http://", "http://user:hunter22@")))
    assert "cannot be opened" in refused.value.problem
    assert "--source" not in refused.value.problem
    assert "hunter22" not in str(refused.value)
    with pytest.raises(UserError, match="does not open addresses of 10"):
        run(setting.player.dial("viewer", "http://10.0.0.1/"))
    assert setting.changes == []


def test_pictures_of_an_address_are_bounded(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 10)
    with streaming(grey(99)) as address:
        run(setting.player.dial("viewer", address))
        wait_for(lambda: setting.player.next(0.0) or setting.player.watched.ended)
    assert "too large" in setting.said[-1]


def test_a_source_that_fails_ends_it_and_nothing_else(
    setting: Setting, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.play(film)

    def fail(*_: Any) -> None:
        raise JobError("the reader is on fire")

    monkeypatch.setattr(setting.player._playing._capture, "take", fail)  # type: ignore[union-attr]
    assert setting.player.next(0.0) is None
    assert setting.player.watched.ended
    assert "on fire" in setting.said[-1]
