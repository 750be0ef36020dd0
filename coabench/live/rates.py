"""How fast a live probe goes, and what it answered so far, in memory that does not grow."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

REMEMBERED = 1000
"""Latencies that the rates are taken from, the newest ones: enough for a p95, little enough for hours."""
WINDOW = 5.0
"""Seconds over which what happens a second is counted."""


@dataclass(frozen=True)
class Rates:
    """How fast it goes: detections and answers a second over the last seconds, latencies over the last answers.

    Attributes:
        frames, detections, answers: how many there were since the beginning.
        faceless: how many detections found no face.
        median, p95: seconds from a crop to its prediction; None before the first answer.
        detect, wait: medians of the seconds in which faces are found in a frame, and that a face waits before the model
            takes it, from its frame's arrival on and without the detection; None before the first.
        labels: how often each label was answered; the reason stands for an answer without a label.
    """

    frames: int = 0
    detections: int = 0
    answers: int = 0
    faceless: int = 0
    detections_per_second: float = 0.0
    answers_per_second: float = 0.0
    median: float | None = None
    p95: float | None = None
    detect: float | None = None
    wait: float | None = None
    labels: tuple[tuple[str, int], ...] = ()


class Tally:
    """Counts and the newest times, in bounded memory."""

    def __init__(self) -> None:
        self.frames = self.detections = self.answers = self.faceless = 0
        self.interval = 0.0
        """Seconds of the source between the last two detections."""
        self._last: float | None = None
        self._began: float | None = None
        self._labels: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=REMEMBERED)
        self._detections: deque[float] = deque(maxlen=REMEMBERED)
        self._waits: deque[float] = deque(maxlen=REMEMBERED)
        self._detected: deque[float] = deque(maxlen=REMEMBERED)
        self._answered: deque[float] = deque(maxlen=REMEMBERED)

    def detected(self, at: float, faces: int, seconds: float = 0.0) -> None:
        """Count a detection in a frame of time *at*, which took *seconds*."""
        self._detections.append(seconds)
        self.faceless += not faces
        self.interval = 0.0 if self._last is None else max(0.0, at - self._last)
        self._last = at
        self.detections += 1
        self._detected.append(time.monotonic())
        self._began = self._began or self._detected[0]

    def answered(self, label: str, seconds: float, wait: float = 0.0) -> None:
        """Count an answer that took *seconds*, after its face had waited."""
        self._waits.append(wait)
        self.answers += 1
        self._labels[label] += 1
        self._latencies.append(seconds)
        self._answered.append(time.monotonic())

    def rates(self) -> Rates:
        """Return the rates as they are now."""
        ordered = sorted(self._latencies)
        return Rates(
            frames=self.frames,
            detections=self.detections,
            answers=self.answers,
            faceless=self.faceless,
            detections_per_second=self._per_second(self._detected),
            answers_per_second=self._per_second(self._answered),
            median=quantile(ordered, 0.5),
            p95=quantile(ordered, 0.95),
            detect=quantile(sorted(self._detections), 0.5),
            wait=quantile(sorted(self._waits), 0.5),
            labels=tuple(self._labels.most_common()),
        )

    def _per_second(self, times: Sequence[float]) -> float:
        """Return how many of *times* fall into the last seconds, per second."""
        if self._began is None:
            return 0.0
        now = time.monotonic()
        recent = sum(t > now - WINDOW for t in times)
        # The window is not filled at the beginning; half a second at least, or one answer would look like hundreds.
        return recent / max(0.5, min(WINDOW, now - self._began))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value at *share* of an ordered sequence (the nearest rank); None of an empty one."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
