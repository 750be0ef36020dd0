"""Serving the live page: the probe behind it, the web server before it, until Ctrl-C or a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from coabench.live.browser.serving import USUAL, Permissions
from coabench.live.equipment import Equipment
from coabench.live.probe import Probe
from coabench.live.sources import Note
from coabench.web.address import BoundAddress
from coabench.web.server import running

Record = Callable[[str, Mapping[str, Any]], None]


def nowhere(kind: str, data: Mapping[str, Any]) -> None:
    """Record nothing: there is no log."""


def serve(
    address: BoundAddress,
    probe: Probe,
    equipment: Equipment,
    note: Note,
    close: Callable[[], object],
    keeps: Sequence[str] = (),
    record: Record = nowhere,
    permissions: Permissions = USUAL,
) -> None:
    """Start the probe and serve the page until Ctrl-C.

    Args:
        address: from `prepare`; closed in the end.
        equipment: whose askers *probe* asks with, loaded.
        note: called with what the user should know: the address first.
        close: ends the probe. Called in the end, while viewers are informed: each of the two takes its time.
        keeps: what is stored of a session, in words; viewers are informed before they start.
        record: called with the kind and the content of what is no answer and belongs into the log.
        permissions: what a viewer may do beside looking and choosing.

    Raises:
        KeyboardInterrupt: the user ended it; viewers were informed, the web server has ended.
        BaseException: what ended one of the probe's threads.
    """
    from coabench.live.browser.app import build_app
    from coabench.live.browser.session import SharedSession

    session = SharedSession(probe, equipment, address, keeps, note, record, permissions)

    def end(why: str) -> None:
        session.ended = why
        close()

    probe.listen(session.add_answer)
    probe.start()
    with address, closing(session), running(build_app(session), address, end):
        note(f"open {address.url} in a browser; Ctrl-C ends")
        for line in address.notes:
            note(line)
        while True:
            probe.check()
            time.sleep(0.1)
