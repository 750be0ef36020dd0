"""Calls that nobody waits for: made one after the other in a thread, so that a slow or absent service slows no job."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any


class Background:
    """A thread that makes calls, in their order. After one that fails it makes none; the methods raise the error."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._done: Future[None] = Future()
        Thread(target=self._work, name=name, daemon=True).start()  # a daemon: the end of the process waits for nothing

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a function called, some time."""
        if self._done.done():
            self._done.result()
        self._calls.put(partial(function, *arguments))

    def end(self, seconds: float) -> bool:
        """Wait until every call is made, but no longer than so many seconds, and let the thread end when it is done.

        Returns:
            whether it is; if not, the calls that are left may still be made.
        """
        self._calls.put(None)
        wait([self._done], seconds)
        return self._done.done() and self._done.result() is None

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                call()
        except BaseException as error:  # raised where somebody hears of it
            self._done.set_exception(error)
        else:
            self._done.set_result(None)
