"""Which faces are in a frame: found, followed from the frames before, and chosen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from coabench.detector import Detector
from coabench.live.settings import Settings
from coabench.live.snapshot import Frame
from coabench.live.tracker import Track, Tracker
from coabench.support.crops import select_faces


@dataclass(frozen=True)
class Seen:
    """A frame, the faces that are looked at (some of them missed in this very frame), and all that are known.

    Attributes:
        came: when the frame did, by `time.perf_counter`.
        detect: seconds in which its faces were found.
        visible: how many of the faces that are looked at were detected in this frame.
    """

    frame: Frame
    came: float
    detect: float
    visible: int
    tracks: tuple[Track, ...]
    known: frozenset[int]

    def merged(self, track: int, into: int) -> Seen:
        """Return it with one face under the number of an earlier one, which is not in it any more."""
        tracks = (replace(each, id=into) if each.id == track else each for each in self.tracks if each.id != into)
        ordered = tuple(sorted(tracks, key=lambda each: each.id))
        return replace(self, tracks=ordered, known=(self.known - {track}) | {into})


class FaceFinder:
    """Finds faces frame by frame, and knows them again."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self._tracker = detector, Tracker()
        self._finding = threading.Lock()  # held while the detector is at work
        self._scene = 0  # of the frame whose faces were found last

    def find(self, frame: Frame, came: float, settings: Settings) -> Seen:
        """Return the faces of the next frame, which *came* then by `time.perf_counter`."""
        # Chosen after tracking: a face that is missed in one frame does not lose its place to the next largest.
        if frame.scene != self._scene:
            self._tracker.forget()
            self._scene = frame.scene
        with self._finding:
            began = time.perf_counter()
            faces = self._detector.detect(frame.image)
        detect = time.perf_counter() - began
        tracks = self._tracker.update(faces, frame.time, frame.image)
        chosen = select_faces(tracks, settings.faces, settings.min_face)
        visible = sum(track.last_seen == frame.time for track in chosen)
        ordered = tuple(sorted(chosen, key=lambda track: track.id))
        return Seen(frame, came, detect, visible, ordered, frozenset(track.id for track in tracks))

    def use(self, detector: Detector) -> None:
        """Find faces with another detector from the next frame on; once this returns the old one is at rest.

        Faces keep their numbers: they are known again by their boxes and looks. From any thread.
        """
        with self._finding:
            self._detector = detector

    def rename(self, track: int, into: int) -> bool:
        """Let a face be an earlier one; see `Tracker.rename`."""
        return self._tracker.rename(track, into)
