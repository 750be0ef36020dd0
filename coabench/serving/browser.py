"""The camera of a browser, as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coabench.live.sources import Source
from coabench.live.views import Frame


class Browser(Source):
    """Its frames are not fetched: they come over the socket, one after the other (`coabench.serving.viewer`)."""

    live = True

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__("browser", note)

    def frames(self) -> Iterator[Frame]:
        """Yield nothing."""
        return iter(())
