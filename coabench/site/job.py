"""The serve job: the address is taken, the folder is served, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coabench.base.reading import is_folder
from coabench.errors import UserError
from coabench.web.address import Serving, prepare
from coabench.web.server import running


@dataclass(frozen=True)
class SiteServing(Serving):
    """See `coabench.web.address.Serving`."""

    option = "--address"
    guide = "docs/guides/serving.md"
    unencrypted = "without TLS pages, and the token, travel in the clear"


def serve(root: Path, serving: SiteServing, note: Callable[[str], object], images: bool = False) -> None:
    """Serve a folder of runs until Ctrl-C.

    Args:
        note: called with what the user should know: the address first.
        images: whether pages show images of samples, where their data set is on this machine.

    Raises:
        UserError: there is no such folder, or what `coabench.web.address.prepare` refuses.
        KeyboardInterrupt: the user ended it; the web server has ended.
    """
    if not is_folder(root):
        raise UserError(
            f"there is no folder {root}", expected="a folder with runs", remedy="evaluate first: coabench evaluate"
        )
    with prepare(serving) as address:
        from coabench.site.app import build_app

        with running(build_app(root, address, images), address, lambda why: None):
            note(f"open {address.url} in a browser; Ctrl-C ends")
            for line in address.notes:
                note(line)
            while True:
                time.sleep(0.1)
