"""A film and an address in place of the camera, from outside: the socket, the log, and the disk."""

import json
import socket
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.films import grey, written
from support.process import process_environment, wait_for
from support.served import Served, Viewer, picture, served
from support.stream import streaming

from coabench.live.browser.uploads import PIECE

for package in ("cv2", "starlette", "uvicorn", "websockets"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(installed: Path, folder: Path) -> Iterator[Served]:
    environment = process_environment(installed)
    more = ("--log", folder / "log.jsonl", "--page-address", "127.0.0.1:1", "--page-address", "localhost")
    with served(environment, folder, *more) as started:
        yield started


@pytest.fixture(scope="module")
def film(folder: Path) -> bytes:
    """A bright square, which the detector takes for a face, on a dark ground; larger than a page's frames."""
    shots = []
    for _ in range(60):
        shot = grey(20, 960, 720)
        shot[120:420, 240:540] = 200
        shots.append(shot)
    return written(folder / "made.mp4", shots, 20.0).read_bytes()


def films(folder: Path) -> list[Path]:
    return [file for kept in folder.glob("coabench-films-*") for file in kept.iterdir()]


def send(viewer: Viewer, data: bytes, name: str = "film.mp4") -> None:
    """Send a film in pieces, as the page does."""
    viewer.say(type="film", name=name, size=str(len(data)))
    viewer.hear("film", received=0)
    for begin in range(0, len(data), PIECE):
        viewer.socket.send(data[begin : begin + PIECE])
        if begin + PIECE < len(data):
            viewer.hear("film")


def test_a_film_is_sent_looked_at_and_deleted(server: Served, folder: Path, film: bytes) -> None:
    with Viewer(server.url) as viewer, Viewer(server.url) as other:
        assert viewer.hear("hello")["sources"] == {"film": True, "address": True}
        viewer.start().look(picture())
        track = viewer.hear("answer")["track"]
        other.say(type="film", name="x.mp4", size="5")
        assert other.hear("problem")["problem"] == "somebody else is connected"
        send(viewer, film)
        state = viewer.hear("state")
        while not state["faces"] or state["source"]["kind"] != "film" or state["size"] != [960, 720]:
            state = viewer.hear("state")
        assert state["source"]["name"] == "film.mp4"
        assert state["faces"][0]["track"] != track
        left, top, right, bottom = state["faces"][0]["box"]
        assert abs(left - 240) + abs(top - 120) + abs(right - 540) + abs(bottom - 420) < 40
        number, captured = struct.unpack_from(">Id", viewer.pictures[0])
        assert (number, captured) == (state["source"]["since"], 0.0)
        with Image.open(BytesIO(viewer.pictures[0][12:])) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))
        assert len(films(folder)) == 1
        assert other.hear("state")["source"] is None  # nobody else's business
        assert viewer.hear("answer")["track"] != track
        viewer.say(type="camera")
        assert viewer.look(picture())["source"]["kind"] == "camera"
        wait_for(lambda: not films(folder))
        send(viewer, film)
        viewer.hear("film", received=len(film))
    wait_for(lambda: not films(folder))  # who leaves leaves nothing


def test_a_film_that_is_cancelled_or_none_leaves_nothing(server: Served, folder: Path, film: bytes) -> None:
    with Viewer(server.url) as viewer:
        viewer.start()
        viewer.say(type="film", name="film.mp4", size=str(len(film)))
        viewer.hear("film", received=0)
        viewer.socket.send(film[:100])
        viewer.hear("film", received=100)
        viewer.say(type="cancel")
        wait_for(lambda: not films(folder))
        send(viewer, b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n")
        problem = viewer.hear("problem", about="film")
        assert (problem["problem"], "MP4" in problem["expected"]) == ("this is no film", True)
        wait_for(lambda: not films(folder))
        assert viewer.look(picture())["source"]["kind"] == "camera"


def test_no_address_is_opened_that_nobody_allowed(server: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside, Viewer(server.url) as viewer:
        inside.settimeout(0.3)
        viewer.start()
        port = inside.getsockname()[1]
        for scheme in ("http", "rtsp", "tcp"):
            viewer.say(type="address", address=f"{scheme}://user:hunter22@127.0.0.1:{port}/")
            problem = viewer.hear("problem", about="address")
            assert "hunter22" not in json.dumps(problem)
        with pytest.raises(TimeoutError):
            inside.accept()


def test_an_address_is_opened_by_the_viewer_in_the_seat(server: Served, folder: Path) -> None:
    with streaming(grey(90)) as address, Viewer(server.url) as viewer:
        given = address.replace("127.0.0.1", "user:hunter22@localhost")
        viewer.say(type="address", address=given)
        assert "seat" in viewer.hear("problem")["problem"]
        viewer.start()
        viewer.say(type="address", address=given)
        state = viewer.hear("state")
        while state["source"]["kind"] != "address" or not viewer.pictures:
            state = viewer.hear("state")
        assert state["source"]["name"] == address.replace("127.0.0.1", "…@localhost")
    code, said = server.end()  # the last test of this server
    assert (code, "hunter22" in said) == (130, False)
    log = (folder / "log.jsonl").read_text()
    assert "hunter22" not in log
    changes = [line for line in map(json.loads, log.splitlines()) if line.get("kind") == "change"]
    assert [line["to"] for line in changes if line["changed"] == "source"][-2:] == [
        address.replace("127.0.0.1", "…@localhost"),
        "browser",
    ]
    of = {line["frame"]: line["track"] for line in map(json.loads, log.splitlines()) if "track" in line}
    begins = [line["frame"] for line in changes]
    for begin in begins:
        assert not {t for f, t in of.items() if f < begin} & {t for f, t in of.items() if f >= begin}
    assert list(folder.glob("coabench-films-*")) == []
