"""The live probe: frames in, faces with answers out. It knows no camera, no window and no network.

Live, two threads work beside whoever offers frames: one finds the faces of the newest frame, one asks about the newest
crop of each face. Whatever is older than the newest is dropped, so nothing ever queues up. `Probe.step` does the same
work in order, frame by frame, for recordings that must give the same answers each time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from coabench.base.files import Closing
from coabench.base.vocabulary import ERROR
from coabench.base.worker_thread import WorkerThread
from coabench.detector import Detector
from coabench.dialogue import Prediction, Turn
from coabench.live.agreement import NAMES, AgreementTally
from coabench.live.asker import Asker
from coabench.live.memory import Memory
from coabench.live.rates import Tally
from coabench.live.snapshot import FaceAnswer, FaceView, Frame, Look, Snapshot
from coabench.live.together import ask_together
from coabench.live.tracker import Track, Tracker, iou
from coabench.registry.defaults import SMOOTH
from coabench.support.crop_settings import MARGIN, MIN_FACE, CropSettings
from coabench.support.crops import crop_face, select_faces

if TYPE_CHECKING:
    from PIL.Image import Image

Result = TypeVar("Result")

FLICKER = 0.25
"""Seconds for which any answer counts as fresh: nobody could see a mark that comes and goes faster."""
CLOSING = 0.5
"""Seconds that `Probe.close` waits for its threads at most."""


@dataclass(frozen=True)
class Settings:
    """How faces are chosen and asked about.

    Attributes:
        every: seconds of the source between two questions about the same face; 0 for as fast as it goes.
        smooth: the last answers of a face that vote on its smoothed label; 1 for none.
        stale_after: seconds after which an answer no longer counts as fresh, once it is there; None for the time in
            which the next one should have come.
        margin, align: see `coabench.support.crop_settings.CropSettings`.
        min_face: the smallest side of a box that is looked at, in pixels.
        faces: how many of the largest faces are looked at; None for all.
        batch: the most faces that are asked about at once; those asked longest ago come first.
    """

    every: float = 0.0
    smooth: int = SMOOTH
    stale_after: float | None = None
    margin: float = MARGIN
    align: bool = True
    min_face: int = MIN_FACE
    faces: int | None = None
    batch: int = 8


@dataclass(frozen=True)
class _Seen:
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


class _Ended(Exception):
    """The probe was closed while an answer was under way."""


class Probe(Closing):
    """Finds faces in frames and asks about them.

    Use as a context manager. Either `start` it and `offer` frames as they come, or call `step` with each frame; not
    both. The askers must be loaded.

    Args:
        beside: further askers, which answer about the same crops.
    """

    def __init__(
        self, detector: Detector, asker: Asker, settings: Settings = Settings(), beside: Sequence[Asker] = ()
    ) -> None:
        self.settings = settings
        self._detector, self._tracker = detector, Tracker()
        self._askers = (asker, *beside)
        self._changed = threading.Condition()  # guards all that follows
        self._notifying = threading.Lock()  # held while listeners are called; never taken while holding _changed
        self._listeners: list[Callable[[FaceAnswer], object]] = []
        self._threads: list[WorkerThread] = []
        self._pending: Frame | None = None
        self._came = 0.0  # when the newest frame did
        self._newest: Frame | None = None
        self._scene = 0  # of the frame whose faces were found last
        self._seen: _Seen | None = None
        self._memory: dict[int, Memory] = {}
        self._tally = Tally()
        self._beside = [Tally() for _ in beside]
        self._agreement = AgreementTally(len(self._askers))
        self._between: deque[tuple[Callable[[], None], Future[Any]]] = deque()
        self._merges: list[tuple[int, int]] = []
        self._closed = False
        self._error: BaseException | None = None

    # -- from outside -------------------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[FaceAnswer], object]) -> None:
        """Call *listener* with every finished answer, in order, from the thread that asks. Its error ends the probe."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start the two threads."""
        for work, name in ((self._watch, "detect"), (self._think, "ask")):
            thread = WorkerThread(f"probe-{name}")
            self._threads.append(thread)
            thread.submit(work).add_done_callback(self._stop_after)

    def offer(self, frame: Frame) -> None:
        """Hand over the newest frame; one that still waits is dropped. Never waits for a detector or a model.

        Raises:
            BaseException: what ended one of the threads.
        """
        with self._changed:
            self.check()
            self._pending = self._newest = frame
            self._came = time.perf_counter()
            self._tally.frames += 1
            self._changed.notify_all()

    def step(self, frame: Frame) -> list[FaceAnswer]:
        """Find the faces in *frame* and ask about those that are due, now; return the answers."""
        with self._changed:
            self._newest = frame
            self._tally.frames += 1
        self._store(self._locate(frame, time.perf_counter()))
        answers: list[FaceAnswer] = []
        while (due := self._due()) is not None:
            answers += self._ask(*due)
        return answers

    def check(self) -> None:
        """Raise what ended one of the threads, if something did."""
        if self._error is not None:
            raise self._error

    def switch(self, asker: Asker) -> None:
        """Ask with another, loaded asker in place of the first from the next batch on.

        What was answered so far is forgotten, and agreement is counted anew.
        """
        with self._changed:
            self._askers = (asker, *self._askers[1:])
            self._agreement = AgreementTally(len(self._askers))
            self._memory.clear()
            self._changed.notify_all()

    def look(self) -> Look | None:
        """Cut out the faces that are seen in the newest frame; None where there is none."""
        with self._changed:
            seen = self._seen
        tracks = () if seen is None else tuple(t for t in seen.tracks if t.last_seen == seen.frame.time)
        return Look(seen.frame, tracks, tuple(self._crops(seen.frame, tracks))) if seen and tracks else None

    def between(self, work: Callable[[], Result]) -> Future[Result]:
        """Do *work* in the thread that asks, before its next questions. Its error is the future's, and ends nothing."""
        future: Future[Result] = Future()

        def do() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:
                    future.set_exception(error)

        with self._changed:
            if self._ending:
                future.cancel()
            else:
                self._between.append((do, future))
                self._changed.notify_all()
        return future

    def merge(self, track: int, into: int) -> None:
        """Let a face be an earlier one that is no longer seen, from the next look on."""
        with self._changed:
            self._merges.append((track, into))

    def snapshot(self, now: float | None = None) -> Snapshot:
        """Return all there is to show.

        Args:
            now: the time of the source; that of the newest frame by default.
        """
        with self._changed:
            if now is None:
                now = self._newest.time if self._newest else 0.0
            seen = self._seen
            faces = [] if seen is None else [self._view(track, seen, now) for track in seen.tracks]
            beside = tuple(tally.rates() for tally in self._beside)
            agreements = self._agreement.agreements()
            return Snapshot(seen.frame if seen else None, tuple(faces), self._tally.rates(), beside, agreements)

    def close(self) -> bool:
        """End the threads, within half a second; once it returns no listener is called any more.

        Returns:
            whether all threads have ended. An inference that is under way cannot be stopped: it is left behind, and
            what it answers is dropped.
        """
        until = time.monotonic() + CLOSING
        with self._changed:
            self._closed = True
            self._pending = None
            for _, future in self._between:
                future.cancel()
            self._changed.notify_all()
        if self._notifying.acquire(timeout=CLOSING):
            self._notifying.release()
        ended = [thread.close(max(0.0, until - time.monotonic())) for thread in self._threads]
        return all(ended)

    # -- the two threads ----------------------------------------------------------------------------------------------

    def _stop_after(self, work: Future[None]) -> None:
        """Keep the error of a thread for whoever offers the next frame; it ends the other thread too."""
        with self._changed:
            self._error = self._error or work.exception()
            self._changed.notify_all()

    def _watch(self) -> None:
        while (taken := self._next_frame()) is not None:
            self._store(self._locate(*taken))

    def _think(self) -> None:
        with suppress(_Ended):
            while (work := self._next_work()) is not None:
                work()

    def _next_frame(self) -> tuple[Frame, float] | None:
        """Wait for a frame and take it; return it and when it came, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or self._pending is not None)
            frame, self._pending = self._pending, None
            return None if self._ending or frame is None else (frame, self._came)

    def _next_work(self) -> Callable[[], object] | None:
        """Wait until there is something to do: what `between` brought, or a face to ask about; None at the end."""
        with self._changed:
            while not self._ending:
                if self._between:
                    return self._between.popleft()[0]
                if (due := self._due()) is not None:
                    return partial(self._ask, *due)
                self._changed.wait()
        return None

    @property
    def _ending(self) -> bool:
        return self._closed or self._error is not None

    # -- what they do -------------------------------------------------------------------------------------------------

    def _merge(self) -> None:
        """Merge what is to be merged, with what is remembered and shown of it."""
        with self._changed:
            merges, self._merges = self._merges, []
            for track, into in merges:
                if not self._tracker.rename(track, into):
                    continue
                if track in self._memory:
                    self._memory[into] = self._memory.pop(track)
                if self._seen is not None:
                    tracks = (replace(each, id=into) if each.id == track else each
                              for each in self._seen.tracks if each.id != into)  # fmt: skip
                    ordered = tuple(sorted(tracks, key=lambda each: each.id))
                    self._seen = replace(self._seen, tracks=ordered, known=(self._seen.known - {track}) | {into})

    def _locate(self, frame: Frame, came: float) -> _Seen:
        self._merge()
        # Chosen after tracking: a face that is missed in one frame does not lose its place to the next largest.
        if frame.scene != self._scene:
            self._tracker.forget()
            self._scene = frame.scene
        began = time.perf_counter()
        faces = self._detector.detect(frame.image)
        detect = time.perf_counter() - began
        tracks = self._tracker.update(faces, frame.time, frame.image)
        chosen = select_faces(tracks, self.settings.faces, self.settings.min_face)
        visible = sum(track.last_seen == frame.time for track in chosen)
        ordered = tuple(sorted(chosen, key=lambda track: track.id))
        return _Seen(frame, came, detect, visible, ordered, frozenset(track.id for track in tracks))

    def _store(self, seen: _Seen) -> None:
        with self._changed:
            self._seen = seen
            self._tally.detected(seen.frame.time, seen.visible, seen.detect)
            for gone in set(self._memory) - seen.known:
                del self._memory[gone]
            self._changed.notify_all()

    def _due(self) -> tuple[_Seen, list[Track]] | None:
        """Return the frame looked at last and the faces in it that are due, and note that they are asked about."""
        with self._changed:
            seen = self._seen
            if seen is None:
                return None
            due = []
            for track in seen.tracks:
                asked = self._memory.setdefault(track.id, Memory.blank(len(self._askers))).asked
                if track.last_seen == seen.frame.time and self._again(asked, seen.frame.time):
                    due.append(track)
            due.sort(key=lambda track: (self._memory[track.id].asked or -1.0, track.id))
            due = sorted(due[: self.settings.batch], key=lambda track: track.id)
            for track in due:
                self._memory[track.id].ask(seen.frame.time)
            return (seen, due) if due else None

    def _again(self, asked: float | None, now: float) -> bool:
        """Whether a face may be asked about in a frame of time *now*, after it was last asked about at *asked*."""
        return asked is None or (now > asked and now - asked > self.settings.every - 1e-6)  # times of files are rounded

    def _crops(self, frame: Frame, tracks: Sequence[Track]) -> list[Image]:
        cut = CropSettings(self.settings.margin, align=self.settings.align)
        return [crop_face(frame.image, track.face, cut) for track in tracks]

    def _ask(self, seen: _Seen, tracks: Sequence[Track]) -> list[FaceAnswer]:
        """Ask about faces of a frame, and deliver the answers."""
        frame, wait = seen.frame, time.perf_counter() - seen.came - seen.detect
        with self._changed:
            askers = self._askers
        crops = self._crops(frame, tracks)

        def on_turn(asker: int, i: int, turn: Turn) -> None:
            with self._changed:
                if self._closed:
                    raise _Ended
                memory = self._memory.get(tracks[i].id)
                if memory is not None and askers is self._askers:
                    memory.said[asker].turns += (turn,)

        answered = ask_together(askers, crops, on_turn)
        looks = []
        for i, (track, picture) in enumerate(zip(tracks, crops, strict=True)):
            look = []
            for name, asker, said in zip(NAMES, askers, answered, strict=False):
                prediction = said.outcomes[i].prediction or Prediction(None, ERROR, "no prediction")
                turns = tuple(said.outcomes[i].turns)
                look.append(
                    FaceAnswer(frame.index, frame.time, track.id, track.box, track.score, picture, asker.strategy.name,
                               turns, prediction, said.seconds, frame.file, answerer=name,
                               detect=seen.detect, wait=wait)
                )  # fmt: skip
            looks.append(look)
        return self._deliver(looks, askers)

    def _deliver(self, looks: Sequence[Sequence[FaceAnswer]], askers: Sequence[Asker]) -> list[FaceAnswer]:
        """Keep finished answers, those of all askers about each crop, and call the listeners, unless the probe was
        closed meanwhile; return what is kept."""
        with self._changed:
            if self._closed:
                raise _Ended
            kept = [answer for look in looks for answer in self._remember(look, askers)]
            self._changed.notify_all()
        for answer in kept:
            with self._notifying:
                if self._closed:
                    raise _Ended
                for listener in self._listeners:
                    listener(answer)
        return kept

    def _remember(self, look: Sequence[FaceAnswer], askers: Sequence[Asker]) -> Sequence[FaceAnswer]:
        """Keep the answers about a crop as the last ones about its face; return them with what the last ones vote for.

        Those of askers that were replaced meanwhile are counted, and no longer shown.
        """
        for tally, answer in zip((self._tally, *self._beside), look, strict=True):
            tally.answered(answer.outcome, answer.seconds, answer.wait)
        if askers is not self._askers:
            return look
        self._agreement.answered([answer.prediction.label for answer in look])
        memory = self._memory.get(look[0].track)
        if memory is None:
            return look
        memory.asking = False
        return [said.keep(answer, self.settings.smooth) for said, answer in zip(memory.said, look, strict=True)]

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _view(self, track: Track, seen: _Seen, now: float) -> FaceView:
        memory = self._memory.get(track.id) or Memory.blank(len(self._askers))
        first = memory.said[0]
        answer = first.answer
        age = None if answer is None else max(0.0, now - answer.time)
        return FaceView(
            track=track.id,
            box=track.box,
            score=track.score,
            turns=first.turns,
            asking=memory.asking,
            answer=answer,
            smoothed=None if answer is None else answer.smoothed,
            age=age,
            stale=self._stale(track, memory, seen, now),
            beside=memory.beside,
        )

    def _stale(self, track: Track, memory: Memory, seen: _Seen, now: float) -> bool:
        """Whether a newer answer should be there by now, or the face is not where it was."""
        if not memory.answers:
            return False
        answer, seconds = memory.answers[0], max(each.seconds for each in memory.answers)
        if track.last_seen < seen.frame.time or iou(track.box, answer.box) == 0.0:
            return True
        limit = self.settings.stale_after
        if limit is None:  # one inference, or the pause asked for, plus one frame
            limit = max(self.settings.every, seconds, FLICKER) + self._tally.interval
        return now - (answer.time + seconds) > limit
