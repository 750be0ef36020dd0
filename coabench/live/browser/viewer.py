"""One browser at the socket: its frames and commands are received, states and answers are sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from coabench.errors import CoabenchError, UserError
from coabench.live.browser import messages
from coabench.live.browser.frames import BadFrame
from coabench.live.browser.messages import Seat
from coabench.live.browser.session import FRAMES_PER_SECOND, SharedSession
from coabench.live.browser.uploads import Upload
from coabench.live.rates import Rates
from coabench.live.snapshot import Snapshot

PULSE = 0.02
"""Seconds between two looks at the probe: what a frame or a turn waits at most before it is sent."""
RESTING = 0.1
"""The same for a viewer who only watches for the seat."""
HEARTBEAT = 1.0
"""Seconds after which the state is sent even if nothing has changed, so that a page notices a dead connection."""
PATIENCE = 20
"""Bad messages in a row after which a connection is closed."""
FASTEST = 0.01
"""Seconds between reading two messages at least; what comes faster waits on the viewer's side."""
SLOWEST = 10.0
"""Seconds that a viewer may take to receive a message."""
GOING_AWAY, MISBEHAVED = 1001, 1008
NEED_SEAT = {
    "prompt": "a question", "name": "a name", "merge": "a name", "film": "a film", "cancel": "a wish",
    "address": "an address", "again": "a wish", "camera": "a wish", "shown": "a word about a picture",
}  # fmt: skip
"""Commands of the viewer in the seat alone, and what each is called."""

End = tuple[int, str]
"""The code and the reason to close a connection with."""


class Viewer:
    """A connection.

    The next frame is welcome once the last was acknowledged. That happens when its faces were detected, so that
    nothing queues up on the way and no frame is sent in vain, and not before the pace that the server asks for.
    """

    def __init__(self, socket: WebSocket, session: SharedSession) -> None:
        self._socket, self._session = socket, session
        self._strikes = 0
        self._number: int | None = None
        """The viewer's newest frame that the probe has; *_index* is its index there."""
        self._index = -1
        self._acknowledged: int | None = None
        self._looked: int | None = None
        """The number of the frame that the boxes belong to."""
        self._came = self._sent = 0.0
        self._seat: Seat | None = None
        self._known: dict[str, Any] = {}
        self._upload: Upload | None = None
        """A film that is on its way; until it has come all that is no JSON belongs to it."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def attend(self) -> None:
        """Serve the viewer until it leaves, misbehaves, or the server ends."""
        tasks: set[asyncio.Task[End | None]] = set()
        try:
            await self._send(self._session.about())
            tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._report())}
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for end in [task.result() for task in done]:
                if end is not None:
                    async with asyncio.timeout(SLOWEST):
                        await self._socket.close(*end)
        except (WebSocketDisconnect, TimeoutError):
            return
        finally:
            self._drop_upload()
            self._session.leave(self)
            for task in tasks:
                task.cancel()

    # -- what the viewer says -----------------------------------------------------------------------------------------

    async def _listen(self) -> End | None:
        while self._strikes < PATIENCE:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            try:
                if (data := message.get("bytes")) is not None and self._upload is not None:
                    await self._take_piece(self._upload, data)
                elif data is not None:
                    await self._take_frame(data)
                else:
                    self._execute(messages.read_command(message.get("text") or ""))
                self._strikes = 0
            except BadFrame as error:
                self._strikes += 1
                await self._send(messages.problem("frame", error, error.number))
            except UserError as error:
                self._strikes += 1
                await self._send(messages.problem("message", error))
            await asyncio.sleep(FASTEST)
        return MISBEHAVED, "too many messages that cannot be used"

    async def _take_frame(self, data: bytes) -> None:
        self._check_seat()
        if self._session.player.watched.kind != "camera":  # it was on its way when something else was chosen
            return
        if self._number != self._acknowledged:
            raise BadFrame("a frame came before the last was acknowledged")
        sent = await self._session.decode(data)
        self._check_seat()  # it may have been idle for too long meanwhile
        if self._number is not None and sent.number <= self._number:
            raise BadFrame("frames are numbered upwards", sent.number)
        self._index = self._session.offer(sent)
        self._number, self._came = sent.number, time.monotonic()

    async def _take_piece(self, upload: Upload, data: bytes) -> None:
        """Take a piece of a film; look at it when it has come."""
        try:
            self._check_seat()
            self._session.seating.touch()
            await self._session.player.write(upload, data)
        except CoabenchError as error:
            self._drop_upload()
            await self._send(messages.problem("film", error))
            return
        await self._send({"type": "film", "received": upload.received})
        if upload.complete and self._upload is upload:
            self._upload = None
            self._start(self._perform("film", lambda: self._session.player.play(self, upload)))

    def _drop_upload(self) -> None:
        if self._upload is not None:
            self._session.player.drop(self._upload)
            self._upload = None

    async def _await_film(self, name: str, size: str) -> None:
        self._drop_upload()
        self._upload = self._session.player.receive(name, size)
        await self._send({"type": "film", "received": 0})

    def _check_seat(self) -> None:
        if self._session.seating.seat(self) != "yours":
            raise BadFrame("a frame came without the seat", expected="start before the first frame")

    def _execute(self, command: dict[str, str]) -> None:
        if command["type"] == "start":
            self._seat = None  # sent again, even if it is as it was
            self._session.take(self)
        elif command["type"] == "stop":
            self._drop_upload()
            self._session.leave(self)
        elif self._session.seating.seat(self) == "taken":
            raise UserError("somebody else is connected", remedy="wait until they stop before choosing a strategy")
        elif command["type"] == "set":
            self._session.set(command["name"], command["value"])
        elif command["type"] in NEED_SEAT and self._session.seating.seat(self) != "yours":
            raise UserError(f"{NEED_SEAT[command['type']]} came without the seat", remedy="start before that")
        elif command["type"] in ("name", "merge"):
            self._session.identify(command)
        elif command["type"] == "shown":
            self._session.player.shown(command["number"])
        elif command["type"] == "camera":
            self._session.player.back()
        elif command["type"] == "cancel":
            self._drop_upload()
        elif self._tasks:
            raise UserError("something else is under way", remedy="wait for it")
        else:
            self._start(self._perform(command["type"], self._slow(command)))

    def _slow(self, command: dict[str, str]) -> Callable[[], Coroutine[Any, Any, None]]:
        """Return what takes its time: switch, open a source, or ask a question of the viewer's own."""
        session, kind = self._session, command["type"]
        if kind == "prompt":
            return lambda: self._prompt(command["text"])
        if kind == "film":
            return lambda: self._await_film(command["name"], command["size"])
        if kind == "address":
            return lambda: session.player.dial(self, command["address"])
        if kind == "again":
            return lambda: session.player.again(self)
        if kind == "detector":
            return lambda: session.detectors.switch(command["name"])
        return lambda: session.answerers.switch(kind, command["name"])

    async def _prompt(self, text: str) -> None:
        await self._send(await self._session.prompt(text))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, about: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do what takes its time, and report what goes wrong."""
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):  # the viewer did not wait
            try:
                await work()
            except CoabenchError as error:
                self._known = {}  # the page may show what was not to be
                await self._send(messages.problem(about, error))

    # -- what the viewer receives -------------------------------------------------------------------------------------

    async def _report(self) -> End | None:
        while self._session.ended is None:
            self._session.free_idle()
            seat = self._session.seating.seat(self)
            if seat != self._seat:
                self._seat = seat
                await self._send({"type": "seat", "seat": seat})
            await self._send_state(seat == "yours")
            if seat != "yours":
                self._drop_upload()
            else:
                if (picture := await self._session.picture()) is not None:
                    await self._send_bytes(picture)
                for answer in self._session.answers():
                    await self._send(answer)
            await asyncio.sleep(PULSE if seat == "yours" else RESTING)
        await self._send({"type": "ended", "why": self._session.ended})
        return GOING_AWAY, "the server ends"

    async def _send_state(self, seated: bool) -> None:
        """Send the state if it has changed, a frame is to be acknowledged, or none was sent for long."""
        now, session = time.monotonic(), self._session
        snapshot = session.snapshot()
        done = self._done_with(snapshot)
        if done:
            self._looked = self._number
        paced = now - self._came >= 1 / FRAMES_PER_SECOND
        acknowledged = self._number if done and paced else self._acknowledged
        visible = self._visible(snapshot) if seated else None
        if visible is not None and visible.frame is not None and session.player.watched.kind != "camera":
            self._looked = visible.frame.index
        state = messages.state(
            visible,
            rates=_rates(snapshot.rates),
            gauges=session.gauges.read().to_json(),
            strategy=session.answerers.strategy,
            answerers=session.answerers.about,
            offer=session.answerers.offered,
            detector=session.detectors.name,
            source=asdict(session.player.watched) if seated else None,
            settings=session.settings,
            prompt={"refused": session.prompt_refused, "under_way": session.prompting},
            in_use=session.answerers.in_use,
            names=session.people.names,
            switching=session.switching,
            acknowledged=acknowledged,
            frame=self._looked,
            captured=session.seating.newest,
        )
        if _lasting(state) != self._known or now - self._sent > HEARTBEAT:
            self._acknowledged, self._sent, self._known = acknowledged, now, _lasting(state)
            await self._send(state)

    def _done_with(self, snapshot: Snapshot) -> bool:
        """Whether the faces of the viewer's newest frame were detected, or will not be any more."""
        gone = self._session.seating.seat(self) != "yours"
        return gone or (snapshot.frame is not None and snapshot.frame.index >= self._index)

    def _visible(self, snapshot: Snapshot) -> Snapshot | None:
        """Return the snapshot if it is about a frame of this viewer."""
        return snapshot if snapshot.frame is not None and self._session.seating.sent(snapshot.frame.index) else None

    async def _send(self, message: messages.Message) -> None:
        async with asyncio.timeout(SLOWEST):
            await self._socket.send_text(json.dumps(message, allow_nan=False))

    async def _send_bytes(self, message: bytes) -> None:
        async with asyncio.timeout(SLOWEST):
            await self._socket.send_bytes(message)


def _rates(rates: Rates) -> messages.Message:
    return {
        "frames": rates.frames,
        "detections": rates.detections,
        "answers": rates.answers,
        "detections_per_second": round(rates.detections_per_second, 2),
        "answers_per_second": round(rates.answers_per_second, 2),
        "median": rates.median,
        "p95": rates.p95,
        "detect": rates.detect,
        "wait": rates.wait,
    }


def _lasting(state: dict[str, Any]) -> dict[str, Any]:
    """Return what of a state is news when it changes: not ages, rates and gauges, which change all the time."""
    faces = [{name: value for name, value in face.items() if name != "age"} for face in state["faces"]]
    return {**state, "faces": faces, "rates": None, "gauges": None, "captured": None}
