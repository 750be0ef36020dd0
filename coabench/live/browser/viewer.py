"""One browser at the socket: what it says is taken in, what is to be seen is told."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from coabench.errors import CoabenchError, UserError
from coabench.live.browser import messages
from coabench.live.browser.frames import BadFrame, read_frame
from coabench.live.browser.messages import Seat
from coabench.live.browser.session import Room
from coabench.live.rates import Rates
from coabench.live.snapshot import Snapshot

PULSE = 0.02
"""Seconds between two looks at the probe: what a frame or a turn waits at most before the viewer hears of it."""
RESTING = 0.1
"""The same for a viewer who only watches for the seat."""
HEARTBEAT = 1.0
"""Seconds after which the state is told even if nothing has changed, so that a page can tell a dead connection."""
PATIENCE = 20
"""Bad messages in a row after which a connection is closed."""
GOING_AWAY, MISBEHAVED = 1001, 1008

End = tuple[int, str]
"""The code and the reason to close a connection with."""


class Viewer:
    """A connection.

    The next frame is welcome once the last was acknowledged. That happens when its faces were found, so that nothing
    queues up on the way and no frame is sent in vain, and not before the pace that the server asks for.
    """

    def __init__(self, socket: WebSocket, room: Room) -> None:
        self._socket, self._room = socket, room
        self._strikes = 0
        self._number: int | None = None
        """The viewer's newest frame that the probe has; *_index* is its index there."""
        self._index = -1
        self._acknowledged: int | None = None
        self._came = self._told = 0.0
        self._seat: Seat | None = None
        self._known: dict[str, Any] = {}
        self._switching: set[asyncio.Task[None]] = set()

    async def attend(self) -> None:
        """Serve the viewer until it leaves, misbehaves, or the server ends."""
        await self._say(self._room.about())
        tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._report())}
        try:
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for end in [task.result() for task in done]:
                if end is not None:
                    await self._socket.close(*end)
        except WebSocketDisconnect:
            return
        finally:
            self._room.leave(self)
            for task in tasks:
                task.cancel()

    # -- what the viewer says -----------------------------------------------------------------------------------------

    async def _listen(self) -> End | None:
        while self._strikes < PATIENCE:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            try:
                if (data := message.get("bytes")) is not None:
                    self._take_frame(data)
                else:
                    self._obey(messages.read_command(message.get("text") or ""))
                self._strikes = 0
            except BadFrame as error:
                self._strikes += 1
                await self._say(messages.problem("frame", error, error.number))
            except UserError as error:
                self._strikes += 1
                await self._say(messages.problem("message", error))
        return MISBEHAVED, "too many messages that cannot be used"

    def _take_frame(self, data: bytes) -> None:
        if self._room.seat(self) != "yours":
            raise BadFrame("a frame came without the seat", expected="start before the first frame")
        if self._number != self._acknowledged:
            raise BadFrame("a frame came before the last was acknowledged")
        sent = read_frame(data)
        if self._number is not None and sent.number <= self._number:
            raise BadFrame("frames are numbered upwards", sent.number)
        self._index = self._room.offer(sent)
        self._number, self._came = sent.number, time.monotonic()

    def _obey(self, command: dict[str, str]) -> None:
        if command["type"] == "start":
            self._seat = None  # told again, even if it is as it was
            self._room.take(self)
        elif command["type"] == "stop":
            self._room.leave(self)
        elif self._room.seat(self) == "taken":
            raise UserError("somebody else is connected", remedy="wait until they stop before choosing a strategy")
        else:
            task = asyncio.create_task(self._switch(command["name"]))
            self._switching.add(task)
            task.add_done_callback(self._switching.discard)

    async def _switch(self, name: str) -> None:
        try:
            await self._room.switch(name)
        except CoabenchError as error:
            self._known = {}  # the page may show the strategy that was not to be
            with suppress(WebSocketDisconnect, RuntimeError):  # the viewer did not wait
                await self._say(messages.problem("strategy", error))

    # -- what the viewer is told --------------------------------------------------------------------------------------

    async def _report(self) -> End:
        while self._room.ended is None:
            self._room.free_idle()
            seat = self._room.seat(self)
            if seat != self._seat:
                self._seat = seat
                await self._say({"type": "seat", "seat": seat})
            await self._tell_state(seat == "yours")
            if seat == "yours":
                for answer in self._room.answers():
                    await self._say(answer)
            await asyncio.sleep(PULSE if seat == "yours" else RESTING)
        await self._say({"type": "ended", "why": self._room.ended})
        return GOING_AWAY, "the server ends"

    async def _tell_state(self, seated: bool) -> None:
        """Tell the state if it has changed, a frame is to be acknowledged, or it was not told for long."""
        now, room = time.monotonic(), self._room
        snapshot = room.snapshot()
        done = self._done_with(snapshot)
        paced = now - self._came >= 1 / room.place.serving.frames_per_second
        acknowledged = self._number if done and paced else self._acknowledged
        state = messages.state(
            self._visible(snapshot) if seated else None,
            rates=_rates(snapshot.rates),
            strategy=room.strategy,
            switching=room.switching,
            acknowledged=acknowledged,
            captured=room.captured,
        )
        if _lasting(state) != self._known or now - self._told > HEARTBEAT:
            self._acknowledged, self._told, self._known = acknowledged, now, _lasting(state)
            await self._say(state)

    def _done_with(self, snapshot: Snapshot) -> bool:
        """Whether the faces of the viewer's newest frame were found, or nobody will look for them any more."""
        gone = self._room.seat(self) != "yours"
        return gone or (snapshot.frame is not None and snapshot.frame.index >= self._index)

    def _visible(self, snapshot: Snapshot) -> Snapshot | None:
        """Return the snapshot if it is about a frame of this viewer."""
        return snapshot if snapshot.frame is not None and self._room.of_seat(snapshot.frame.index) else None

    async def _say(self, message: messages.Message) -> None:
        await self._socket.send_text(json.dumps(message, allow_nan=False))


def _rates(rates: Rates) -> messages.Message:
    return {
        "frames": rates.frames,
        "detections": rates.detections,
        "answers": rates.answers,
        "detections_per_second": round(rates.detections_per_second, 2),
        "answers_per_second": round(rates.answers_per_second, 2),
        "median": rates.median,
        "p95": rates.p95,
    }


def _lasting(state: dict[str, Any]) -> dict[str, Any]:
    """Return what of a state is news when it changes: not ages and rates, which change all the time."""
    faces = [{name: value for name, value in face.items() if name != "age"} for face in state["faces"]]
    return {**state, "faces": faces, "rates": None, "captured": None}
