"""Times in which a camera gave no frames, or the user paused it, as the log has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

GAP = "gap"
"""The kind of such a line of the log."""
LONG = 2.0
"""Seconds between two frames from which on they are a gap; what the user paused is one however short."""
PAUSED: Final = "paused"
MISSING: Final = "no frames"


class Gaps:
    """Notices gaps between the frames of a camera.

    Args:
        record: takes the kind of a line and its fields: ``time`` of the last frame before the gap, ``seconds`` from it
            to the next one or to the end, and ``why``.
    """

    def __init__(self, record: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._record = record
        self._last: float | None = None
        self._paused = False

    def pause(self) -> None:
        """Say that the user pauses: the gap that follows is meant."""
        self._paused = True

    def frame(self, time: float) -> None:
        """Take the time of a frame, in seconds of the source."""
        self.end(time)
        self._last, self._paused = time, False

    def end(self, time: float) -> None:
        """Take the time up to which no further frame has come."""
        if self._last is not None and (self._paused or time - self._last > LONG):
            why = PAUSED if self._paused else MISSING
            self._record(GAP, {"time": round(self._last, 6), "seconds": round(time - self._last, 6), "why": why})
