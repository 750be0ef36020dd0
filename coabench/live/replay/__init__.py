"""The session viewer: a webcam log, and its recording, as one page (``coabench replay-live``).

Read in this order: `reader` (the log), `film` (what a browser makes of the recording), `thumbnails` (the crops that
were kept), `columns` (what the page's scripts read), `page`. docs/guides/replay-live.md is for users.
"""

from __future__ import annotations

from coabench.live.replay.page import Replay, replay

__all__ = ["Replay", "replay"]
