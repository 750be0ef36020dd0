"""Strangers and hostile viewers: whoever may be served is served all the while, in the clear and by TLS."""

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.jpegs import progressive
from support.process import process_environment, wait_for
from support.served import Served, Viewer, fetch, picture, refused, served
from support.served import closing as closed_with
from websockets.exceptions import ConnectionClosed

for package in ("cv2", "starlette", "uvicorn", "websockets", "cryptography"):
    pytest.importorskip(package)

LONG = 120.0
"""Seconds after which a test gives up."""
CLEAR, TLS = [], ["--tls-self-signed"]


class Target:
    """A server that other machines may reach: its address with the token, and what a client needs to trust it."""

    def __init__(self, server: Served, folder: Path, tls: bool) -> None:
        self.server = server
        address, _, self.token = server.url.partition("?token=")
        self.port = urlsplit(address).port or 0
        self.base = f"{urlsplit(address).scheme}://127.0.0.1:{self.port}/"
        self.url = f"{self.base}?token={self.token}"
        certificate = folder / "config" / "coabench" / "tls" / "self-signed.pem"
        self.tls = ssl.create_default_context(cafile=certificate) if tls else None

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a connection without any TLS."""
        return socket.create_connection(("127.0.0.1", self.port), LONG, (source, 0))

    def viewer(self, source: str = "127.0.0.1") -> Viewer:
        return Viewer(self.url, self.tls, source)


@pytest.fixture(scope="module", params=[CLEAR, TLS], ids=["clear", "TLS"])
def target(
    request: pytest.FixtureRequest, installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("server")
    environment = process_environment(installed)
    with served(environment, folder, "--allow-remote", *request.param, address="0.0.0.0:0") as server:
        server.wait_for("(fingerprint: |without TLS)")
        before = list(server.said)
        yield Target(server, folder, request.param == TLS)
        assert server.said == before  # strangers fill no terminal, nor make a token appear there


def flood(target: Target, end: threading.Event, statuses: list[int]) -> None:
    """Ask for page and socket with wrong tokens, one request after the other."""
    while not end.is_set():
        with suppress(OSError):
            statuses.append(fetch(f"{target.base}?token=wrong", tls=target.tls)[0])
            statuses.append(refused(f"{target.base}?token={target.token[:-1]}", target.tls))


def test_the_right_viewer_is_served_among_strangers(target: Target) -> None:
    with ExitStack() as open_:
        strangers = [open_.enter_context(target.connect()) for _ in range(70)]
        for stranger in strangers[60:]:
            stranger.sendall(b"\x16\x03\x01\x02" if target.tls else b"GET /?token=")
        end, statuses = threading.Event(), list[int]()
        threads = [threading.Thread(target=flood, args=(target, end, statuses)) for _ in range(2)]
        for thread in threads:
            thread.start()
        open_.callback(lambda: [thread.join(LONG) for thread in threads])
        open_.callback(end.set)

        assert fetch(target.url, tls=target.tls)[0] == 200
        right, hostile = open_.enter_context(target.viewer()), open_.enter_context(target.viewer())
        assert right.start().look(picture())["faces"]
        assert right.hear("answer")["turns"]
        right.say(type="stop")
        hostile.start()
        jpeg = progressive(40_000)
        for _ in range(5):
            number = hostile.send(jpeg)
            right.hear("state")
            assert hostile.hear("problem", frame=number)["problem"] == "a frame has too many scans"
        hostile.say(type="stop")
        right.hear("seat", seat="free")
        assert right.start().look(picture())["faces"]
        assert right.hear("answer")["turns"]
        assert len(statuses) > 1
        assert set(statuses) == {403}
        # The places of most went to those who came later. Waiting until the time of the others is up takes long.
        for stranger in strangers if target.tls else strangers[:50]:
            with suppress(ConnectionError):
                while stranger.recv(1000):  # an alert of TLS
                    pass


def test_the_body_of_a_request_is_not_read(target: Target) -> None:
    bomb = gzip.compress(gzip.compress(bytes(10_000_000)))
    for method, status in (("POST", 405), ("PUT", 405), ("GET", 200)):
        answer = fetch(target.url, method, target.tls, bomb, **{"Content-Encoding": "gzip"})
        assert answer[0] == status
        assert answer[1]["connection"] == "close"
    for path in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "live.js", "/"):
        assert fetch(f"{target.base}{path}?token={target.token}", tls=target.tls)[0] == 404


def test_a_request_with_a_head_of_megabytes_is_cut_off(target: Target) -> None:
    answer = b""
    with suppress(OSError), closing(target.connect()) as plain:
        stranger = target.tls.wrap_socket(plain, server_hostname="127.0.0.1") if target.tls else plain
        stranger.sendall(f"GET /?token={target.token} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode())
        for _ in range(200):
            stranger.sendall(b"X: " + b"x" * 10_000 + b"\r\n")
        stranger.sendall(b"\r\n")
        while received := stranger.recv(1000):
            answer += received
    assert b" 200 " not in answer


def frame(first: int, payload: bytes = b"") -> bytes:
    """Return a frame from a client: its first byte, and so on; masked with zeros."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


PING, BEGIN, MORE = frame(0x89), frame(0x02), frame(0x00)


@pytest.mark.parametrize("flood", [PING * 100_000, frame(0x8A) * 100_000, BEGIN + MORE * 100_000, BEGIN + BEGIN],
                         ids=["pings", "pongs", "fragments", "a message in another"])  # fmt: skip
def test_a_flood_of_frames_ends_the_connection(target: Target, flood: bytes) -> None:
    with target.viewer() as right, ExitStack() as open_:
        hostile = open_.enter_context(target.viewer())
        with suppress(OSError):
            hostile.socket.socket.sendall(flood)
        closed_with(hostile)
        right.hear("state")
        assert right.start().look(picture())["faces"]


def test_a_flood_of_commands_keeps_nobody_waiting(target: Target) -> None:
    with target.viewer() as right, target.viewer() as hostile:
        for _ in range(50):
            hostile.say(type="strategy", name="direct")
            hostile.say(type="stop")
        for _ in range(3):
            right.hear("state")
        assert right.start().look(picture())["faces"]


def test_no_message_is_compressed(target: Target) -> None:
    with target.viewer() as viewer:
        response = viewer.socket.response
        assert response is not None
        assert "Sec-WebSocket-Extensions" not in response.headers


def admitted(target: Target) -> Viewer | None:
    """A viewer who was let in; none while the server still counts viewers who have left."""
    with ExitStack() as leaving:
        viewer = leaving.enter_context(target.viewer())
        with suppress(ConnectionClosed):
            viewer.hear("hello")
            leaving.pop_all()
            return viewer
    return None


@pytest.mark.skipif(not Path("/proc/net").is_dir(), reason="only Linux answers at all of 127.0.0.0/8 unasked")
def test_the_viewers_of_one_address_lock_out_no_other(target: Target) -> None:
    with ExitStack() as open_:
        for _ in range(8):
            open_.enter_context(wait_for(lambda: admitted(target)))
        with target.viewer() as ninth:
            assert closed_with(ninth) == 1013
        with target.viewer("127.0.0.2") as other:
            assert other.start().look(picture())["faces"]
