"""Lines at a WebSocket that programs open: every subscriber gets all from when it comes, in messages of one line."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from coabench.base.text import plural
from coabench.live.publish.channel import Backlog, Channel
from coabench.live.sources import Note
from coabench.web.access import CONNECTION, AccessCheck
from coabench.web.address import BoundAddress
from coabench.web.server import running

SUBSCRIBERS = 32
"""Programs that may be connected at once."""
SLOWEST = 10.0
"""Seconds that a program may take to receive a line."""
GOING_AWAY, MISBEHAVED, FULL = 1001, 1008, 1013


class _Subscriber:
    """A program at the socket. All but `offer` in the thread of the web server."""

    def __init__(self, name: str, say: Note) -> None:
        self.name, self._say = name, say
        self.backlog = Backlog()
        self.ending = False
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def offer(self, line: bytes | None) -> None:
        """Add a line, or None: there is no more. From any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._add, line)

    def _add(self, line: bytes | None) -> None:
        if line is None:
            self.ending = True
        elif self.backlog.add(line):
            self._say(f"{self.name} is slow: lines are dropped, the oldest first")
        self._changed.set()

    async def next(self) -> bytes | None:
        """Wait for a line; None at the end."""
        while not len(self.backlog):
            if self.ending:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self.backlog.take()


class WebSocketChannel(Channel):
    """The socket, served from when this is made until it is closed; `JobError` where it does not start."""

    def __init__(self, address: BoundAddress, say: Note) -> None:
        super().__init__(say)
        self._first = b""
        self._subscribers: list[_Subscriber] = []
        self._ended = False
        app = Starlette(routes=[WebSocketRoute("/", self._attend)])
        self._server = ExitStack()
        self._server.enter_context(address)
        self._server.enter_context(running(AccessCheck(app, address, programs=True), address, self._end))

    def begin(self, line: bytes) -> None:
        self._first = line
        self.put(line)

    def put(self, line: bytes) -> None:
        for subscriber in list(self._subscribers):
            subscriber.offer(line)

    def close(self, last: bytes = b"") -> bool:
        if last:
            self.put(last)
        self._server.close()
        return True

    def _end(self, why: str) -> None:
        self._ended = True
        for subscriber in list(self._subscribers):
            subscriber.offer(None)

    async def _attend(self, socket: WebSocket) -> None:
        await socket.accept()
        if len(self._subscribers) >= SUBSCRIBERS:
            await socket.close(FULL, "too many programs are connected")
            return
        subscriber = _Subscriber(f"the program at {socket.scope['state'][CONNECTION].network}", self.say)
        if self._first:
            subscriber.offer(self._first)
        self._subscribers.append(subscriber)
        if self._ended:
            subscriber.offer(None)
        tasks = {asyncio.create_task(_send(socket, subscriber)), asyncio.create_task(_listen(socket))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for end in [task.result() for task in done]:
                if end is not None:
                    async with asyncio.timeout(SLOWEST):
                        await socket.close(*end)
        except TimeoutError:
            self.say(f"{subscriber.name} took no line for {SLOWEST:.0f} seconds and was let go")
        except (WebSocketDisconnect, RuntimeError):  # it is gone, maybe in the middle of a line
            return
        finally:
            self._subscribers.remove(subscriber)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if subscriber.backlog.dropped:
                self.say(f"{plural(subscriber.backlog.dropped, 'line')} for {subscriber.name} were dropped")


async def _send(socket: WebSocket, subscriber: _Subscriber) -> tuple[int, str] | None:
    while (line := await subscriber.next()) is not None:
        async with asyncio.timeout(SLOWEST):
            await socket.send_text(line.decode("utf-8").rstrip("\n"))
    return GOING_AWAY, "the session ends"


async def _listen(socket: WebSocket) -> tuple[int, str] | None:
    """Notice when a program goes; there is nothing that it could say."""
    message = await socket.receive()
    return None if message["type"] == "websocket.disconnect" else (MISBEHAVED, "nothing is read here")
