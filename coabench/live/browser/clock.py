"""Two clocks: a viewer's, which stamps frames, and the source's, which the probe goes by."""

from __future__ import annotations

import time

SLACK = 1.0
"""Seconds by which a viewer's clock may run ahead of ours between two frames."""


class Clock:
    """From the viewer's clock to the source's and back. Ages counted from the capture include the way to the server.

    Attributes:
        last: the source's time of the newest frame.
    """

    def __init__(self, begins: float) -> None:
        """Begin at a time of the source, in seconds."""
        self.last = begins
        self._begins = begins
        self._captured: float | None = None
        self._came = 0.0

    def time(self, captured: float) -> float:
        """Return the source's time of a frame taken at *captured* (milliseconds of the viewer's clock).

        It always grows, and not faster than our own clock by more than `SLACK`, whatever a viewer says.
        """
        now = time.monotonic()
        if self._captured is None:
            self._captured, self._came = captured, now
            return self.last
        said = self._begins + (captured - self._captured) / 1000
        latest = self.last + (now - self._came) + SLACK
        self.last, self._came = min(max(said, self.last + 0.001), latest), now
        return self.last

    def captured(self, time: float) -> float:
        """Return the viewer's time in milliseconds of a time of the source."""
        return (self._captured or 0.0) + (time - self._begins) * 1000
