"""The seat: the right to send frames, of one viewer at a time; and which frames are theirs."""

from __future__ import annotations

import time

from coabench.errors import UserError
from coabench.live.browser.clock import Clock
from coabench.live.browser.frames import Sent
from coabench.live.browser.messages import Seat
from coabench.live.snapshot import Frame

BETWEEN = 10.0
"""Seconds of the source that lie between two scenes, so that no face of one is taken for a face of the other."""
IDLE = 60.0
"""Seconds without a frame after which the seat is free again."""


class Seating:
    """Who has the seat; their frames get numbers and times of one source, and a scene of their own."""

    def __init__(self) -> None:
        self._holder: object | None = None
        self._clock = Clock(0.0)
        self._first = self._frames = 0
        self._last_frame = 0.0

    def seat(self, viewer: object) -> Seat:
        """Return how the seat looks to a viewer."""
        if self._holder is None:
            return "free"
        return "yours" if self._holder is viewer else "taken"

    def take(self, viewer: object) -> bool:
        """Give the seat to a viewer; return whether they did not have it. `UserError` where another one has it."""
        seat = self.seat(viewer)
        if seat == "taken":
            raise UserError(
                "somebody else is connected",
                expected="one camera at a time",
                remedy="wait until they stop, or stop the other page",
            )
        if seat == "yours":
            return False
        self._holder = viewer
        self.begin()
        return True

    def begin(self) -> int:
        """Begin another scene, whose frames share no face with those before; return the index of its first frame."""
        self._clock = Clock(self._clock.last + BETWEEN)
        self._first = self._frames
        self.touch()
        return self._first

    def touch(self) -> None:
        """The viewer in the seat is there."""
        self._last_frame = time.monotonic()

    def leave(self, viewer: object) -> None:
        """Free the seat if the viewer has it."""
        if self._holder is viewer:
            self._holder = None

    def free_idle(self) -> None:
        """Free the seat of a viewer who has sent nothing for long."""
        if self._holder is not None and time.monotonic() - self._last_frame > IDLE:
            self._holder = None

    def frame(self, sent: Sent) -> Frame:
        """Return what the viewer in the seat has sent as the next frame of the source."""
        index = self._frames
        self._frames += 1
        self.touch()
        return Frame(sent.image, self._clock.time(sent.captured), index, scene=self._first)

    def sent(self, index: int) -> bool:
        """Whether the frame of this index is of the scene that the viewer in the seat looks at."""
        return index >= self._first

    @property
    def taken(self) -> bool:
        """Whether a viewer has the seat."""
        return self._holder is not None

    @property
    def newest(self) -> float:
        """When the newest frame was taken, in milliseconds of the viewer's clock."""
        return self._clock.captured(self._clock.last)

    def captured(self, time: float) -> float:
        """Return the viewer's time in milliseconds of a time of the source."""
        return self._clock.captured(time)
