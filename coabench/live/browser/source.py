"""The camera of a browser, as a source."""

from __future__ import annotations

from collections.abc import Iterator

from coabench.live.snapshot import Frame
from coabench.live.sources import Note, Source


class Browser(Source):
    """Its frames are not fetched: they come over the socket, one after the other (`coabench.live.browser.viewer`)."""

    live = True

    def __init__(self, note: Note) -> None:
        super().__init__("browser", note)

    def frames(self) -> Iterator[Frame]:
        """Yield nothing."""
        return iter(())
