"""What is shown of a face: what is remembered of it, where it is now, and whether that is out of date."""

from __future__ import annotations

from coabench.live.finder import Seen
from coabench.live.memory import Memory
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceView
from coabench.live.tracker import Track, iou

FLICKER = 0.25
"""Seconds for which any answer counts as fresh: nobody could see a mark that comes and goes faster."""


def view_face(track: Track, memory: Memory, seen: Seen, now: float, settings: Settings, interval: float) -> FaceView:
    """Return a face as it is at a time of the source.

    Args:
        seen: the frame looked at last, which *track* is of.
        interval: seconds between the last two frames that were looked at.
    """
    first = memory.said[0]
    answer = first.answer
    return FaceView(
        track=track.id,
        box=track.box,
        score=track.score,
        turns=first.turns,
        asking=memory.asking,
        answer=answer,
        smoothed=None if answer is None else answer.smoothed,
        age=None if answer is None else max(0.0, now - answer.time),
        stale=_is_stale(track, memory, seen, now, settings, interval),
        beside=memory.beside,
    )


def _is_stale(track: Track, memory: Memory, seen: Seen, now: float, settings: Settings, interval: float) -> bool:
    """Whether a newer answer should be there by now, or the face is not where it was."""
    if not memory.answers:
        return False
    answer, seconds = memory.answers[0], max(each.seconds for each in memory.answers)
    if track.last_seen < seen.frame.time or iou(track.box, answer.box) == 0.0:
        return True
    limit = settings.stale_after
    if limit is None:  # one inference, or the pause asked for, plus one frame
        limit = max(settings.every, seconds, FLICKER) + interval
    return now - (answer.time + seconds) > limit
