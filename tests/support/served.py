"""``coabench webcam --serve`` in a process of its own, and a viewer without a browser."""

from __future__ import annotations

import http.client
import io
import json
import re
import signal
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed as ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from .process import start

BASE = ("--backbone", "scripted:a", "--detector", "brightest", "--set", "backbone.noise=false")
BOX = (40, 20, 90, 70)


class Served:
    """The process: its address, and what it has said on stderr."""

    def __init__(self, command: Sequence[object], environment: Mapping[str, str], folder: Path) -> None:
        self.process = start(folder, environment, "webcam", *command)
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.wait_for(r"open (\S+) in a browser")

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    def wait_for(self, pattern: str) -> str:
        """Return the group of *pattern*, as soon as the process has said that on stderr."""
        until = time.monotonic() + 120
        while time.monotonic() < until and (self.process.poll() is None or self._reader.is_alive()):
            if found := re.search(pattern, "".join(list(self.said))):
                return found[1]
            time.sleep(0.02)
        raise AssertionError("".join(self.said))

    def end(self, how: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """End the process, or only wait for its end; return its exit code and what it said on stderr."""
        if how is not None and self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(60)
        self._reader.join(10)
        return code, "".join(self.said)


@contextmanager
def served(
    environment: Mapping[str, str], folder: Path, *more: object, address: str = "127.0.0.1:0"
) -> Iterator[Served]:
    """Serve the scripted backbone while in the context."""
    home = {"XDG_CONFIG_HOME": str(folder / "config"), "TMPDIR": str(folder)}  # it may be killed
    started = Served(["--serve", address, *BASE, *more], {**environment, **home}, folder)
    try:
        yield started
    finally:
        started.process.kill()
        started.end()


class Viewer:
    """A viewer at the socket that keeps everything it is told."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1", **headers: str) -> None:
        parts = urlsplit(url)
        headers = {"Origin": f"{parts.scheme}://{parts.netloc}", **headers}
        origin = headers.pop("Origin")
        address = parts._replace(scheme="wss" if parts.scheme == "https" else "ws", path="/live").geturl()
        connection = connect(
            address,
            origin=Origin(origin) if origin else None,
            additional_headers=headers,
            ssl=tls,
            max_size=None,
            max_queue=1 << 20,  # else what nobody reads would delay the end
            source_address=(source, 0),
        )
        self._open = ExitStack()
        self.socket = self._open.enter_context(connection)
        self.told: list[dict[str, Any]] = []
        self.answers: deque[dict[str, Any]] = deque()
        self.pictures: list[bytes] = []
        self.number = 0

    def say(self, **command: Any) -> None:
        self.socket.send(json.dumps(command))

    def send(self, data: bytes, number: int | None = None, captured: float | None = None) -> int:
        """Send a frame; return its number."""
        self.number = self.number + 1 if number is None else number
        now = 1000 * time.monotonic() if captured is None else captured
        self.socket.send(struct.pack(">Id", self.number, now) + data)
        return self.number

    def hear(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Wait for a message of a kind, with such values; an answer may have come while waiting for something else."""
        until = time.monotonic() + 120
        while True:
            if kind == "answer" and self.answers:
                message = self.answers.popleft()
            else:
                said = self.socket.recv(max(0.01, until - time.monotonic()))
                if isinstance(said, bytes):
                    self.pictures.append(said)
                    self.say(type="shown", number=str(struct.unpack_from(">I", said)[0]))
                    continue
                message = json.loads(said)
                self.told.append(message)
            if message["type"] == kind and all(message[name] == value for name, value in wanted.items()):
                return message
            if message["type"] == "answer" and kind != "answer":
                self.answers.append(message)

    def start(self) -> Self:
        """Take the seat."""
        self.say(type="start")
        self.hear("seat", seat="yours")
        return self

    def look(self, data: bytes) -> dict[str, Any]:
        """Send a frame and return the state that acknowledges it."""
        return self.hear("state", acknowledged=self.send(data))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def picture(box: tuple[int, int, int, int] = BOX, value: int = 200, size: tuple[int, int] = (160, 120)) -> bytes:
    """Return a JPEG of a bright square on a dark ground, which the detector ``brightest`` takes for a face."""
    pixels = np.full((size[1], size[0], 3), 20, np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = value
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def fetch(
    url: str, method: str = "GET", tls: ssl.SSLContext | None = None, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a request."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(*address, timeout=60, context=tls)
    else:
        connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", body, headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def refused(url: str, tls: ssl.SSLContext | None = None, **headers: str) -> int:
    """Return the status with which the socket is refused."""
    parts = urlsplit(url)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": f"{parts.scheme}://{parts.netloc}",
    }
    return fetch(parts._replace(path="/live").geturl(), tls=tls, **{**upgrade, **headers})[0]


def closing(viewer: Viewer) -> int | None:
    """Wait for the end of a connection; return its code."""
    try:
        while True:
            viewer.socket.recv(20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
