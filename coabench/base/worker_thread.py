"""A thread that is given work: it works beside others, and does not keep the program from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

Result = TypeVar("Result")


class WorkerThread:
    """Does work in order, in one thread: libraries keep pools of their own for every thread that calls them.

    Unlike the threads of a `concurrent.futures.ThreadPoolExecutor`, nobody waits for it when the program ends: a model
    or a driver that hangs cannot be stopped.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Queue *work*; what it returns or raises, of whatever kind, is in the future."""
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()  # from here on nobody can cancel it
        self._queue.put((work, future))
        return future

    def run(self, work: Callable[[], Result]) -> Result:
        """Return what *work* returns, or raise what it raises; Ctrl-C interrupts the waiting at once.

        After an interruption, `close` is all that is left.
        """
        future = self.submit(work)
        while not wait([future], timeout=0.1).done:  # without a timeout Ctrl-C would wait on Windows
            pass
        return future.result()

    def close(self, patience: float = 0.0) -> bool:
        """End the thread after what is queued; return whether it ended within *patience* seconds."""
        self._queue.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (queued := self._queue.get()) is not None:
            work, future = queued
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del queued, work, future  # nothing of the last work is kept while waiting for the next
