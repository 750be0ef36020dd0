"""Which faces are asked about next."""

from __future__ import annotations

from collections.abc import Mapping

from coabench.live.finder import Seen
from coabench.live.memory import Memory
from coabench.live.settings import Settings
from coabench.live.tracker import Track


def due_faces(seen: Seen, memories: Mapping[int, Memory], settings: Settings) -> list[Track]:
    """Return the faces of a frame that are due, a batch at most, in the order of their numbers.

    Of more than a batch those come first that were asked about longest ago.

    Args:
        memories: of all faces that are looked at.
    """
    asked = {track.id: memories[track.id].asked for track in seen.tracks}
    now = seen.frame.time
    due = [each for each in seen.tracks if each.last_seen == now and _again(asked[each.id], now, settings.every)]
    due.sort(key=lambda track: (asked[track.id] or -1.0, track.id))
    return sorted(due[: settings.batch], key=lambda track: track.id)


def _again(asked: float | None, now: float, every: float) -> bool:
    """Whether a face may be asked about in a frame of time *now*, after it was last asked about at *asked*."""
    return asked is None or (now > asked and now - asked > every - 1e-6)  # times of files are rounded
