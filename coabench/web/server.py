"""The web server: in a thread of its own, so that the main thread learns of Ctrl-C and of what else fails at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coabench.base import signals
from coabench.base.worker_thread import WorkerThread
from coabench.errors import JobError
from coabench.web.address import BoundAddress

if TYPE_CHECKING:
    from starlette.types import ASGIApp

FAREWELL = 0.1
"""Seconds in which visitors are informed that the server ends."""
ENDING = 0.6
"""Seconds that its thread may take to end after that."""


@contextmanager
def running(app: ASGIApp, address: BoundAddress, ending: Callable[[str], object]) -> Iterator[None]:
    """Run the web server while in the context.

    Args:
        ending: called with why the server ends, while it can still answer for `FAREWELL` seconds.

    Raises:
        JobError: it did not start.
    """
    from coabench.web.protocols import WebServer

    server = WebServer(app, address)
    thread = WorkerThread("web-server")
    run = thread.submit(lambda: asyncio.run(server.run_until_exit()))
    while not server.started and not run.done():
        time.sleep(0.01)
    if not server.started:
        raise JobError("the web server did not start", found=repr(error) if (error := run.exception()) else None)
    why = "The server was ended."
    try:
        yield
    except Exception as error:
        why = f"The server failed: {error}"
        raise
    finally:
        with signals.ignoring():  # it takes less than a second, and files may still be open
            until = time.monotonic() + FAREWELL + ENDING
            threading.Timer(FAREWELL, setattr, (server, "should_exit", True)).start()
            ending(why)
            thread.close(max(0.0, until - time.monotonic()))
