"""Work done in another thread while this one waits, so that Ctrl-C is heard at once and not after the work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Aside(Generic[Result]):
    """One thread, always the same: libraries keep pools of their own for every thread that calls them."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], Result] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], Result]) -> Result:
        """Return what *work* returns, or raise what it raises. After an interruption, `close` is all that is left."""
        self._work.put(work)
        while True:
            try:
                result, error = self._done.get(timeout=0.1)  # without a timeout Windows would not hear Ctrl-C
            except queue.Empty:
                continue
            if error is not None:
                raise error
            made: Result = result
            return made

    def close(self, patience: float) -> bool:
        """End the thread; return whether it ended within *patience* seconds."""
        self._work.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._done.put((work(), None))
            except BaseException as error:
                self._done.put((None, error))
