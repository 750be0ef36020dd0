"""A way out for lines: it never makes the probe wait. What is too much is dropped, oldest first, counted and said."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque

from coabench.base.files import Closing
from coabench.base.text import plural
from coabench.base.worker_thread import WorkerThread
from coabench.live.sources import Note

WAITING = 256
"""Lines that wait for a slow reader at most."""
CLOSING = 1.0
"""Seconds in which what still waits may get out at the end."""


class Channel(Closing):
    """A way out. *say* is called with what the user should know, from any thread."""

    def __init__(self, say: Note) -> None:
        self.say = say

    @abstractmethod
    def begin(self, line: bytes) -> None:
        """Publish what answers: the first line, also for readers that come later."""

    @abstractmethod
    def put(self, line: bytes) -> None:
        """Publish a line. Never waits, never fails. From any thread."""

    @abstractmethod
    def close(self, last: bytes = b"") -> bool:
        """Publish the last line and close; return whether all threads have ended."""


class Unpublished(Exception):
    """A line could not be published, nor will another: why, in words."""


class Backlog:
    """Lines that wait for one reader, so many at most: one more takes the place of the oldest."""

    def __init__(self) -> None:
        self.dropped = 0
        self._lines: deque[bytes] = deque(maxlen=WAITING)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: bytes) -> bool:
        """Add a line; return whether it is the first for which another was dropped."""
        full = len(self._lines) == WAITING
        self.dropped += full
        self._lines.append(line)
        return full and self.dropped == 1

    def take(self) -> bytes:
        """Return the oldest line."""
        return self._lines.popleft()


class QueuedChannel(Channel):
    """One whose lines wait in a backlog for a thread that may block: in a pipe, or on a network.

    Args:
        name: of what is published to, for people.
    """

    def __init__(self, name: str, say: Note) -> None:
        super().__init__(say)
        self.name = name
        self._backlog = Backlog()
        self._changed = threading.Condition()
        self._closed = self._broken = False
        self._thread = WorkerThread("publish")
        self._thread.submit(self._run)

    @abstractmethod
    def _send(self, line: bytes) -> None:
        """Publish a line, however long that takes; `Unpublished` where no line gets out any more."""

    def begin(self, line: bytes) -> None:
        self.put(line)

    def put(self, line: bytes) -> None:
        with self._changed:
            if self._closed or self._broken:
                return
            slow = self._backlog.add(line)
            self._changed.notify_all()
        if slow:
            self.say(f"{self.name} is slow: lines are dropped, the oldest first")

    def close(self, last: bytes = b"") -> bool:
        if last:
            self.put(last)
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.notify_all()
        ended = self._thread.close(CLOSING)
        lost = self._backlog.dropped + len(self._backlog)
        if first and lost and not self._broken:
            self.say(f"{plural(lost, 'line')} for {self.name} were dropped")
        return ended

    @property
    def closed(self) -> bool:
        """Whether no more lines come."""
        return self._closed

    def _run(self) -> None:
        while (line := self._next()) is not None:
            try:
                self._send(line)
            except Unpublished as error:
                with self._changed:
                    self._backlog.dropped += 1
                    self._broken = not self._closed
                if self._broken:
                    self.say(f"nothing is published to {self.name} any more: {error}")
                return

    def _next(self) -> bytes | None:
        """Wait for a line and take it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._backlog))
            return self._backlog.take() if len(self._backlog) else None
