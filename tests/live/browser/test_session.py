"""What viewers share: places, and the thread in which frames are decoded."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from support.event_loop import run
from support.live import FixedFaces, Gated, asker

from coabench.live.browser import Serving, prepare, session
from coabench.live.probe import Probe, Settings

LONG = 60.0
"""Seconds after which a test gives up."""


@pytest.fixture
def shared() -> Iterator[session.SharedSession]:
    for package in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(package)
    asks = asker(Gated())
    with prepare(Serving("127.0.0.1:0")) as address, Probe(FixedFaces(), asks, Settings()) as probe:
        yield session.SharedSession(probe, [asks], address, [], print)


def test_frames_are_decoded_one_at_a_time_while_others_are_served(
    shared: session.SharedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    go_on = threading.Event()

    def slow(message: bytes) -> bytes:
        begun.append(message)
        assert go_on.wait(LONG)
        return message

    monkeypatch.setattr(session, "read_frame", slow)

    async def scenario() -> None:
        frames = [asyncio.create_task(shared.decode(message)) for message in (b"first", b"second")]
        async with asyncio.timeout(LONG):
            while not begun:
                await asyncio.sleep(0.01)  # the event loop is free
        assert begun == [b"first"]
        go_on.set()
        assert await asyncio.gather(*frames) == [b"first", b"second"]

    run(scenario())


def test_places_are_limited_for_each_network_and_in_all(shared: session.SharedSession) -> None:
    networks = [f"192.0.2.{number}" for number in range(4)]
    for network in networks:
        assert [shared.enter(network) for _ in range(9)] == [True] * 8 + [False]
    assert not shared.enter("192.0.2.9")
    shared.exit(networks[0])
    assert shared.enter("192.0.2.9")
    assert not shared.enter(networks[0])
