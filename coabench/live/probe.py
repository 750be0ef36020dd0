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
from functools import partial
from typing import Any, TypeVar

from coabench.base.files import Closing
from coabench.base.worker_thread import WorkerThread
from coabench.detector import Detector
from coabench.dialogue import Turn
from coabench.live.answering import ask_about, cut_faces
from coabench.live.asker import Asker
from coabench.live.finder import FaceFinder, Seen
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer, Frame, Look, Snapshot
from coabench.live.state import State
from coabench.live.tracker import Track

Result = TypeVar("Result")

CLOSING = 0.5
"""Seconds that `Probe.close` waits for its threads at most."""


class _Ended(Exception):
    """The probe was closed while an answer was under way."""


class Probe(Closing):
    """Finds faces in frames and asks about them.

    Use as a context manager. Either `start` it and `offer` frames as they come, or call `step` with each frame; not
    both. The askers must be loaded.

    Args:
        beside: further askers, which answer about the same crops.
    """

    def __init__(self, detector: Detector, asker: Asker, settings: Settings, beside: Sequence[Asker] = ()) -> None:
        self.settings = settings
        self._finder = FaceFinder(detector)
        self._askers = (asker, *beside)
        self._changed = threading.Condition()  # guards all that follows
        self._notifying = threading.Lock()  # held while listeners are called; never taken while holding _changed
        self._listeners: list[Callable[[FaceAnswer], object]] = []
        self._threads: list[WorkerThread] = []
        self._pending: Frame | None = None
        self._came = 0.0  # when the newest frame did
        self._state = State(len(self._askers))
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
            self._pending = frame
            self._came = time.perf_counter()
            self._state.came(frame)
            self._changed.notify_all()

    def step(self, frame: Frame) -> list[FaceAnswer]:
        """Find the faces in *frame* and ask about those that are due, now; return the answers."""
        with self._changed:
            self._state.came(frame)
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
            self._state.forget()
            self._changed.notify_all()

    def find_with(self, detector: Detector) -> None:
        """Find faces with another detector from the next frame on; wait until the old one is at rest."""
        self._finder.use(detector)

    def look(self) -> Look | None:
        """Cut out the faces that are seen in the newest frame; None where there is none."""
        with self._changed:
            seen = self._state.seen
        tracks = () if seen is None else tuple(t for t in seen.tracks if t.last_seen == seen.frame.time)
        if seen is None or not tracks:
            return None
        return Look(seen.frame, tracks, tuple(cut_faces(seen.frame, tracks, self.settings)))

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
            return self._state.snapshot(now, self.settings)

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

    def _locate(self, frame: Frame, came: float) -> Seen:
        with self._changed:
            merges, self._merges = self._merges, []
            for track, into in merges:
                if self._finder.rename(track, into):
                    self._state.merge(track, into)
        return self._finder.find(frame, came, self.settings)

    def _store(self, seen: Seen) -> None:
        with self._changed:
            self._state.store(seen)
            self._changed.notify_all()

    def _due(self) -> tuple[Seen, list[Track]] | None:
        with self._changed:
            return self._state.due(self.settings)

    def _ask(self, seen: Seen, tracks: Sequence[Track]) -> list[FaceAnswer]:
        """Ask about faces of a frame, and deliver the answers."""
        with self._changed:
            askers = self._askers

        def on_turn(asker: int, i: int, turn: Turn) -> None:
            with self._changed:
                if self._closed:
                    raise _Ended
                if askers is self._askers:
                    self._state.said(asker, tracks[i].id, turn)

        return self._deliver(ask_about(askers, seen, tracks, self.settings, on_turn), askers)

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
        self._state.count(look)
        return self._state.remember(look, self.settings.smooth) if askers is self._askers else look
