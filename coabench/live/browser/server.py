"""The web server: in a thread of its own, so that the main thread learns of Ctrl-C and a failing probe at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coabench.base import signals
from coabench.errors import JobError
from coabench.live.asker import Asker
from coabench.live.browser.address import BoundAddress
from coabench.live.probe import Probe
from coabench.live.sources import Note
from coabench.live.worker_thread import WorkerThread

if TYPE_CHECKING:
    from coabench.live.browser.session import SharedSession

FAREWELL = 0.1
"""Seconds in which viewers are informed that the server ends."""
ENDING = 0.6
"""Seconds that its thread may take to end after that."""


def serve(
    address: BoundAddress,
    probe: Probe,
    asker: Asker,
    note: Note,
    close: Callable[[], object],
    keeps: Sequence[str] = (),
    log: Note = lambda _: None,
) -> None:
    """Start the probe and serve the page until Ctrl-C.

    Args:
        address: from `prepare`; closed in the end.
        asker: the one that *probe* asks with, loaded.
        note: called with what the user should know: the address first.
        close: ends the probe. Called in the end, while viewers are informed: each of the two takes its time.
        keeps: what is stored of a session, in words; viewers are informed before they start.
        log: called with what happens meanwhile: another strategy, say.

    Raises:
        KeyboardInterrupt: the user ended it; viewers were informed, the web server has ended.
        BaseException: what ended one of the probe's threads.
    """
    from coabench.live.browser.session import SharedSession

    session = SharedSession(probe, asker, address, keeps, note, log)
    probe.listen(session.add_answer)
    probe.start()
    with address, _running(session, close):
        note(f"open {address.url} in a browser; Ctrl-C ends")
        for line in address.notes:
            note(line)
        while True:
            probe.check()
            time.sleep(0.1)


@contextmanager
def _running(session: SharedSession, close: Callable[[], object]) -> Iterator[None]:
    """Run the web server while in the context; viewers are informed of what ends the context."""
    from coabench.live.browser.protocols import WebServer

    server = WebServer(session)
    thread = WorkerThread("web-server")
    running = thread.submit(lambda: asyncio.run(server.run_until_exit()))
    while not server.started and not running.done():
        time.sleep(0.01)
    if not server.started:
        raise JobError("the web server did not start", found=repr(error) if (error := running.exception()) else None)
    why = "The server was ended."
    try:
        yield
    except Exception as error:
        why = f"The server failed: {error}"
        raise
    finally:
        with signals.ignoring():  # it takes less than a second, and files are still open
            session.ended = why
            until = time.monotonic() + FAREWELL + ENDING
            threading.Timer(FAREWELL, setattr, (server, "should_exit", True)).start()
            close()
            thread.close(max(0.0, until - time.monotonic()))
