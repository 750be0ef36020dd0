"""A web server in a thread of its own, so that the main thread learns of Ctrl-C at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from coabench.errors import JobError
from coabench.live.browser.address import BoundAddress
from coabench.live.worker_thread import WorkerThread

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class ServerThread:
    """Serves an application at an address from when it is made; `JobError` where it does not start."""

    def __init__(self, app: ASGIApp, address: BoundAddress) -> None:
        from coabench.live.browser.protocols import WebServer

        self._server = WebServer(app, address)
        self._thread = WorkerThread("web-server")
        running = self._thread.submit(lambda: asyncio.run(self._server.run_until_exit()))
        while not self._server.started and not running.done():
            time.sleep(0.01)
        if not self._server.started:
            error = running.exception()
            raise JobError("the web server did not start", found=repr(error) if error else None)

    def end(self) -> None:
        """Ask it to end."""
        self._server.should_exit = True

    def wait(self, patience: float) -> bool:
        """Wait for its end; return whether it came within *patience* seconds."""
        return self._thread.close(patience)
