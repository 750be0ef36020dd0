"""What strangers send to the page of ``coabench webcam --serve``: requests, messages, frames."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import strategies as st
from support.process import process_environment
from support.served import ConnectionClosed, Served, Viewer, picture, served

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, json_bytes, mutated

pytestmark = pytest.mark.process
REQUEST = (
    b"GET /live HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
COMMANDS = ({"type": "start"}, {"type": "stop"}, {"type": "strategy", "name": "direct"})


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(process_environment(installed), tmp_path_factory.mktemp("served")) as started:
        yield started


def take_seat(viewer: Viewer) -> None:
    """Wait for the seat to be free, which it is as soon as the server sees that the last viewer has gone."""
    viewer.hear("seat", seat="free")
    viewer.start()


def works(server: Served) -> None:
    """A viewer who comes after the hostile one is served."""
    with Viewer(server.url) as viewer:
        take_seat(viewer)
        assert viewer.look(picture())["type"] == "state"
        viewer.say(type="stop")


@st.composite
def frames(draw: Callable[..., Any]) -> bytes:
    head = draw(st.binary(max_size=12) | st.builds(struct.pack, st.just(">Id"), st.integers(0, 9), st.floats()))
    return head + draw(damaged(picture()) | st.binary(max_size=50))  # type: ignore[no-any-return]


texts = st.sampled_from(COMMANDS).flatmap(lambda valid: mutated(valid).map(json_bytes) | damaged(json_bytes(valid)))
messages = st.lists(texts.map(lambda text: text.decode("utf-8", "replace")) | frames(), min_size=1, max_size=6)


@fuzz(0.04, messages=messages, seated=st.booleans())
def test_messages(attempts: Attempts, server: Served, messages: list[str | bytes], seated: bool) -> None:
    with attempts.folder(), suppress(ConnectionClosed), Viewer(server.url) as viewer:
        if seated:
            take_seat(viewer)
        for message in messages:
            viewer.socket.send(message)
            viewer.told.append(json.loads(viewer.socket.recv(30)))
    attempts.tally.exits[0] += 1
    works(server)


@fuzz(0.03, data=damaged(REQUEST) | st.binary(max_size=40))
def test_requests(attempts: Attempts, server: Served, data: bytes) -> None:
    parts = urlsplit(server.url)
    with attempts.folder(), suppress(OSError), socket.create_connection((parts.hostname, parts.port), 30) as stranger:
        stranger.sendall(data.replace(b"%d", str(parts.port).encode()))
        stranger.settimeout(0.05)
        stranger.recv(1000)
    attempts.tally.exits[0] += 1
    works(server)
