"""One event loop in a thread of its own, in which all requests run: it works in notebooks, too, and ends at Ctrl-C."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="openai", daemon=True).start()
    return loop


def wait_for(task: Coroutine[Any, Any, T]) -> T:
    """Return what the task returns; whatever ends the waiting (Ctrl-C) ends the task."""
    future = asyncio.run_coroutine_threadsafe(task, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
