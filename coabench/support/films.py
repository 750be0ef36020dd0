"""Reading a film: past bad frames, at the times of the file; and what was announced and did not come."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

from coabench.base.text import plural
from coabench.support.opencv import opencv

TRIES = 3000
"""Reads in a row that may fail before a film counts as ended. OpenCV reports a bad frame and the end alike, but reads
on behind a bad one; behind the end 3,000 reads take some milliseconds."""
HANG = 2.0
"""Seconds of a failed read from which the connection to a film at a URL is lost; a bad frame takes milliseconds."""
TICK = 0.001
"""Seconds between frames that the file stamps with the same time."""
USUAL_RATE = 25.0
"""Frames a second where a file names no rate."""
RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
"""Frames a second at which films of variable rate are recorded."""


class Film:
    """The frames of an opened film.

    Attributes:
        fps: frames a second; of a variable rate whatever the file calls its rate, which can be 1,000.
        announced: how many frames there should be, None where the file does not say. Some containers count them
            (MP4, AVI); for others OpenCV multiplies length and rate.
        read: how many were read.
        skipped: how many reads failed before and between them.
    """

    def __init__(self, capture: Any, remote: bool = False) -> None:
        """Take an opened capture, of a file or, with *remote*, of an address."""
        cv2 = opencv()
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE
        self.announced = int(count) if math.isfinite(count) and count > 0 else None
        self.read = self.skipped = 0
        self._capture, self._patience = capture, HANG if remote else math.inf
        self._time, self._interval, self._regular = -1.0, 0.0, 0

    @property
    def length(self) -> float | None:
        """Seconds from the first frame to the end of the last, as announced; of a variable rate it can be too short."""
        return None if self.announced is None else self.announced / self.fps

    def pictures(self) -> Iterator[tuple[Any, float]]:
        """Yield each picture as OpenCV has it, with its time in seconds, which grows."""
        while (picture := self._next()) is not None:
            last, self._time = self._time, self._stamp(self._time)
            self._interval = self._time - max(last, 0.0)
            self._regular += abs(self._interval * self.fps - 1) < 0.25
            yield picture, round(self._time, 6)

    @property
    def shortfall(self) -> str | None:
        """What did not come, in words, once all pictures were read; None where everything did."""
        length = self.length or 0.0
        early = self._time + 2 * max(self._interval, 1 / self.fps) < length
        counted = early or 2 * self._regular >= self.read - 1  # else the rate varies, and length times rate is no count
        missing = self.announced is not None and self.read < self.announced and counted
        if not missing and not self.skipped:
            return None
        said = f"{self.read} of {self.announced} announced frames" if missing else plural(self.read, "frame")
        if self.skipped:
            said += f"; {self.skipped} could not be decoded"
        if missing and early:
            said += f"; it ends early, at {max(self._time, 0.0):.1f} s of {length:.1f} s"
        elif missing and not self.skipped:
            said += "; some are damaged, or the rate varies"
        return said

    def _next(self) -> Any:
        """Return the next picture that can be decoded; None at the end."""
        for failed in range(TRIES):
            began = time.monotonic()
            read, picture = self._capture.read()
            if read:
                self.read += 1
                self.skipped += failed
                return picture
            if time.monotonic() - began > self._patience:
                break
        return None

    def _stamp(self, last: float) -> float:
        """Return the time of the picture just read, after *last*: films of phones have no fixed rate."""
        position = self._capture.get(opencv().CAP_PROP_POS_MSEC) / 1000
        if math.isfinite(position) and position > last:
            return float(position)
        if last < 0:
            return 0.0
        # Frames may share a stamp; no stamp at all reads as zero, and some clocks start again in the middle.
        return last + (TICK if position > 0 and last - position < 1 / self.fps else 1 / self.fps)


def opened(path: str) -> Any:
    """Return OpenCV's capture of a film, None where no frame of it can be read."""
    cv2 = opencv()
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    readable = capture.isOpened() and next(Film(capture).pictures(), None) is not None
    capture.release()
    return cv2.VideoCapture(path, cv2.CAP_FFMPEG) if readable else None


def even_rate(path: str, fps: float) -> float:
    """Return the frames a second at which no two frames of a film fall together; *fps* where that is one.

    Looks at the time stamps of the whole file, without decoding it: some 10 µs a frame.
    """
    import numpy as np

    cv2 = opencv()
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])  # packets as they are
    stamps = []
    while capture.grab():
        stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    times = np.unique(stamps)
    shortest = np.diff(times).min(initial=math.inf)
    named = fps if fps * shortest < 1.5 or math.isinf(shortest) else 0.0  # else no frames are that close
    for rate in ([named] if named else []) + [rate for rate in RATES if rate > named]:
        if len(np.unique([slot(time, rate) for time in times])) == len(times):
            return rate
    return RATES[-1]


def slot(time: float, fps: float) -> int:
    """Return the number of the picture that is shown at a time, in a film of constant rate."""
    return math.floor(time * fps + 0.5 + 1e-6)
