"""Takes frames from a source in a thread, so that whoever shows them never waits for a camera."""

from __future__ import annotations

import threading
import time

from coabench.base.worker_thread import WorkerThread
from coabench.live.snapshot import Frame
from coabench.live.sources import Source


class Capture:
    """Keeps the newest frame of a source. A source that is not live is played at its own speed."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = self._paused = self._closed = False
        self._thread = WorkerThread("capture")
        self._reading = self._thread.submit(self._run)

    def take(self, wait: float) -> Frame | None:
        """Return the newest frame, once; None where none came within *wait* seconds.

        Raises:
            BaseException: what ended the source, if it did not end well.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, wait)
            frame, self._frame = self._frame, None
            if frame is None and self._ended:
                self._reading.result()
            return frame

    @property
    def ended(self) -> bool:
        """Whether the source has ended and its last frame was taken."""
        with self._changed:
            return self._ended and self._frame is None

    def pause(self, paused: bool) -> None:
        """Pause or continue. A live source cannot be paused: what it gives meanwhile is dropped."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def close(self) -> bool:
        """End the thread; return whether it has ended. One that hangs in a device's driver is left behind."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if not self._thread.close(0.3):
            return False
        self.source.close()  # not under a thread that still reads from it
        return True

    def _run(self) -> None:
        try:
            behind = 0.0
            began = time.monotonic()
            for frame in self.source.frames():
                if not self.source.live:
                    behind += self._wait(began + behind + frame.time)
                with self._changed:
                    if self._closed:
                        break
                    if not (self._paused and self.source.live):
                        self._frame = frame
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _wait(self, until: float) -> float:
        """Wait for the time of a frame, and while paused; return how long the pauses were."""
        paused = 0.0
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closed or self._paused, until + paused - time.monotonic())
                if self._closed or not self._paused:
                    return paused
                began = time.monotonic()
                self._changed.wait_for(lambda: self._closed or not self._paused)
                paused += time.monotonic() - began
