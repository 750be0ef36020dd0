"""What all viewers share: one probe, one strategy, and the seat: the right to send frames, of one viewer at a time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.asker import Asker, usable_strategies
from coabench.live.browser.clock import Clock
from coabench.live.browser.frames import MAX_BYTES, Sent, read_frame
from coabench.live.browser.messages import Seat, answered
from coabench.live.gauges import GaugeReader
from coabench.live.probe import Probe
from coabench.live.snapshot import FaceAnswer, Frame, Snapshot
from coabench.live.sources import Note
from coabench.registry.loader import get_plugins
from coabench.web.address import BoundAddress

BETWEEN = 10.0
"""Seconds of the source that lie between two viewers, so that no face of one is taken for a face of the other."""
WIDTH = 640
"""The longer side, in pixels, of the frames that the page sends."""
FRAMES_PER_SECOND = 15.0
"""How many the page sends at most."""
IDLE = 60.0
"""Seconds without a frame after which the seat is free again."""
WAITING = 256
"""Answers that wait for a slow viewer at most; older ones are dropped."""
VIEWERS = 32
"""Browsers that may be connected at once."""
VIEWERS_PER_NETWORK = 8
"""The same for one address, or one IPv6 network."""


class SharedSession:
    """The probe behind the page. All methods but `add_answer` are called in the thread of the web server.

    Only the viewer in the seat sends frames and sees faces: there is one detector and one model, and no viewer
    should see the face of another.

    Attributes:
        ended: why the server ends; None while it runs.
        switching: the strategy that is being made ready, if any.
    """

    def __init__(
        self,
        probe: Probe,
        askers: Sequence[Asker],
        address: BoundAddress,
        keeps: Sequence[str],
        note: Note,
        log: Note = lambda _: None,
    ) -> None:
        self.address, self.note, self.log, self.keeps = address, note, log, list(keeps)
        self.ended: str | None = None
        self.switching: str | None = None
        self.gauges = GaugeReader()
        self._viewers = Counter[str]()
        self._probe, self._askers = probe, list(askers)
        self._strategies = _strategies(askers[0])
        self._holder: object | None = None
        self._clock = Clock(0.0)
        self._first = self._frames = 0
        self._last_frame = 0.0
        self._answers: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self._switcher = WorkerThread("switch")
        self._decoder = WorkerThread("decode")

    def about(self) -> dict[str, Any]:
        """Return the first message to a viewer."""
        asker = self._asker
        backbone = asker.identity.backbone
        return {
            "type": "hello",
            "backbone": backbone.name,
            "model": backbone.model,
            "adapter": backbone.adapter,
            "device": asker.backbone.details().get("device"),
            "decode": asker.identity.decode,
            "labels": list(asker.space.names),
            "strategies": list(self._strategies),
            "smooth": self._probe.settings.smooth,
            "remote_backbone": type(asker.backbone).remote,
            "keeps": self.keeps,
            "limits": {
                "width": WIDTH,
                "frames_per_second": FRAMES_PER_SECOND,
                "bytes": MAX_BYTES,
            },
        }

    @property
    def _asker(self) -> Asker:
        return self._askers[0]

    def enter(self, network: str) -> bool:
        """Count a viewer from a network; return False, and count nothing, where too many are there."""
        if self._viewers[network] >= VIEWERS_PER_NETWORK or self._viewers.total() >= VIEWERS:
            return False
        self._viewers[network] += 1
        return True

    def exit(self, network: str) -> None:
        """A viewer from a network has gone."""
        self._viewers -= Counter([network])  # drops the network with its last viewer

    # -- the seat -----------------------------------------------------------------------------------------------------

    def seat(self, viewer: object) -> Seat:
        """Return how the seat looks to a viewer."""
        if self._holder is None:
            return "free"
        return "yours" if self._holder is viewer else "taken"

    def take(self, viewer: object) -> None:
        """Give the seat to a viewer; `UserError` where another one has it."""
        seat = self.seat(viewer)
        if seat == "taken":
            raise UserError(
                "somebody else is connected",
                expected="one camera at a time",
                remedy="wait until they stop, or stop the other page",
            )
        if seat == "free":
            self._holder = viewer
            self._clock = Clock(self._clock.last + BETWEEN)
            self._first, self._last_frame = self._frames, time.monotonic()
            self._answers.clear()

    def leave(self, viewer: object) -> None:
        """Free the seat if the viewer has it."""
        if self._holder is viewer:
            self._holder = None

    def free_idle(self) -> None:
        """Free the seat of a viewer who has sent nothing for long."""
        if self._holder is not None and time.monotonic() - self._last_frame > IDLE:
            self._holder = None

    # -- frames and answers -------------------------------------------------------------------------------------------

    async def decode(self, message: bytes) -> Sent:
        """Return the frame in a message; decoded in a thread of its own, one after the other.

        Raises:
            BadFrame: it is none, or exceeds a limit.
        """
        return await asyncio.wrap_future(self._decoder.submit(lambda: read_frame(message)))

    def offer(self, sent: Sent) -> int:
        """Hand a frame of the viewer in the seat to the probe; return its index there."""
        index = self._frames
        self._frames += 1
        self._last_frame = time.monotonic()
        self._probe.offer(Frame(sent.image, self._clock.time(sent.captured), index, scene=self._first))
        return index

    @property
    def captured(self) -> float:
        """When the newest frame was taken, by the clock of the viewer in the seat."""
        return self._clock.captured(self._clock.last)

    def snapshot(self) -> Snapshot:
        """Return what the probe shows."""
        return self._probe.snapshot()

    def of_seat(self, index: int) -> bool:
        """Whether the viewer in the seat has sent the frame of this index."""
        return index >= self._first

    def add_answer(self, answer: FaceAnswer) -> None:
        """Keep an answer for the viewer in the seat. Called in the probe's thread; never fails, or it would end it."""
        if self._holder is not None and self.of_seat(answer.frame):
            self._answers.append(answered(answer, self._clock.captured(answer.time)))

    def answers(self) -> list[dict[str, Any]]:
        """Return the answers since the last call."""
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self._answers.popleft())
        return taken

    # -- the strategy -------------------------------------------------------------------------------------------------

    @property
    def strategy(self) -> str:
        """The strategy that asks, as the page's list names it."""
        return self._asker.strategy.name

    @property
    def adapter(self) -> str | None:
        """The adapter that it asks with."""
        return self._asker.identity.backbone.adapter

    async def switch(self, name: str) -> None:
        """Ask with another strategy from now on. May take long: weights may have to be loaded.

        Raises:
            CoabenchError: it is not on the list, another switch is under way, or it cannot be made ready.
        """
        # Only what is on the list: a name of the viewer's choice could be any file of this machine.
        spec = self._strategies.get(name)
        if spec is None:
            raise UserError("there is no such strategy", expected=", ".join(self._strategies), remedy="choose another")
        if self.switching is not None:
            raise UserError("another strategy is being made ready", found=self.switching, remedy="wait for it")
        self.switching = name
        try:
            other = await asyncio.wrap_future(self._switcher.submit(lambda: self._asker.with_strategy(spec)))
            self._probe.switch(other)
            self._askers[0] = other
            adapter = f"adapter {self.adapter}" if self.adapter else "no adapter"
            self.log(f"asked with {self.strategy}, {adapter}, from here on")
        except CoabenchError:
            raise
        except Exception as error:
            self.note(f"the strategy {name} could not be made ready: {type(error).__name__}: {error}")
            raise JobError(f"the strategy {name} could not be made ready", found=type(error).__name__) from error
        finally:
            self.switching = None


def _strategies(asker: Asker) -> Mapping[str, str]:
    """Return what a viewer may switch to: name -> what `Asker.with_strategy` takes.

    Strategies with exemplars are left out where no data set was named that they could come from.
    """
    specs = [
        f"{name}:{variant}" if variant else name
        for name, registration in get_plugins().strategies.items()
        for variant in registration.details.get("variants") or (None,)
    ]
    known = {asker.strategy.name: str(asker.choice.strategy)}
    for spec, strategy in usable_strategies(specs, asker.choice.exemplars_from is not None):
        known.setdefault(strategy.name, spec)
    return dict(sorted(known.items()))
