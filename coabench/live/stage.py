"""The outputs of a live session: recordings, log, crops and stills, and what the window shows beside the faces."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base import environment, signals
from coabench.base.text import plural
from coabench.live.agreement import NAMES
from coabench.live.equipment import Equipment
from coabench.live.gaps import Gaps
from coabench.live.gauges import GaugeReader
from coabench.live.log import LiveLog
from coabench.live.overlay import Marks, Seats, draw
from coabench.live.probe import Probe
from coabench.live.publish import Publisher
from coabench.live.recording import Recording
from coabench.live.session import Session, Summary
from coabench.live.snapshot import FaceAnswer, Frame, Snapshot
from coabench.live.sources import Note, Source, shown
from coabench.live.stills import save_crops, save_still
from coabench.runs.folder import now

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REPORT = 10.0
"""Seconds between two lines of progress where there is no window, and two of gauges in the log."""
STALLED = 2.0
"""Seconds without a frame after which the window says so."""
NOTICE = 2.0
"""Seconds for which the window shows what a key has done."""


class Stage:
    """The outputs of a session, and what its window shows beside the faces."""

    def __init__(
        self,
        session: Session,
        equipment: Equipment,
        source: Source,
        probe: Probe,
        summary: Summary,
        publisher: Publisher,
        note: Note,
    ) -> None:
        self.session, self.source, self.probe, self.summary, self.note = session, source, probe, summary, note
        self._paused_at = 0.0
        self.about, self.paused, self.details = equipment.about, False, True
        self.ended = False  # the source, by itself
        self._ends: list[Callable[[], object]] = []
        self._reported = time.monotonic()
        self._folder = session.stills / datetime.now().strftime("%Y%m%d-%H%M%S")
        self._shown: list[float] = []
        self._frames = 0
        self._last: Frame | None = None
        self._drawn: Frame | None = None
        self._came = 0.0
        self._notice, self._until = "", 0.0
        self._overlaid = self._recording(session.record, 0.0)
        self._clean = self._recording(session.record_clean, 0.0)
        self._recordings = 0
        self._seats = Seats()
        self._gaps = Gaps(self.log_event)
        self._gauges, self._gauged = GaugeReader(), time.monotonic()
        self._log: LiveLog | None = None
        if session.log is not None or session.publishing.targets:
            header = {
                "started": now(),
                "source": shown(source.name),
                "identity": equipment.identities[0].to_json(),
                **_beside(equipment),
            }
        if session.log is not None:
            command = [shown(word) for word in session.command]
            details = {"session": publisher.session, "command": command, "environment": environment.describe()}
            self._log = LiveLog(session.log, {**header, **details})
            summary.files.append(session.log)
            probe.listen(self._log)
            if session.window or source.live:  # a log of work in order is the same each time
                probe.listen(self._log_gauges)
        source.note = self.say
        if session.publishing.targets:
            publisher.begin(header, self.say)
            probe.listen(publisher)
            self.at_end(publisher.close)
        if session.crops is not None:
            folder = session.crops
            summary.files.append(folder)
            probe.listen(lambda answer: answer.answerer == NAMES[0] and save_crops(folder, [answer]))  # one is all's

    def at_end(self, close: Callable[[], object]) -> None:
        """Call *close* at the end, the last one first; where it returns False a thread is left behind."""
        self._ends.append(close)

    def over(self, frame: Frame | None) -> bool:
        """Whether a limit was reached with this frame."""
        limit, seconds = self.session.max_frames, self.session.seconds
        if limit is not None and self._frames >= limit:
            return True
        return seconds is not None and frame is not None and frame.time >= seconds

    def count_frame(self, frame: Frame) -> None:
        """Count a frame; without a window, report now and then."""
        self._frames += 1
        if self.source.live:
            self._gaps.frame(frame.time)
        self._last, self._came = frame, time.monotonic()
        moment = self._came
        self._shown = [t for t in self._shown[-240:] if t > moment - 1] + [moment]
        if not self.session.window and moment - self._reported > REPORT:
            self._reported = moment
            rates = self.probe.snapshot().rates
            done = f"{plural(self._frames, 'frame')}, {plural(rates.answers, 'answer')}"
            self.note(f"{done}, {rates.answers_per_second:.1f} a second")

    def say(self, text: str) -> None:
        """Say what happened to the source or an output, and log it."""
        self.note(text)
        self.log_note(text)

    def log_note(self, text: str) -> None:
        """Log what happened, without saying it."""
        if self._log is not None:
            self._log.note(text)

    def log_event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Log what is no answer, in a line of its own kind."""
        if self._log is not None:
            self._log.event(kind, data)

    def _log_gauges(self, answer: FaceAnswer) -> None:
        """Log now and then what the session takes of its machine."""
        if time.monotonic() - self._gauged > REPORT:
            self._gauged = time.monotonic()
            self.log_event("gauges", {"time": round(answer.time, 6), **self._gauges.read().to_json()})

    def pause(self) -> None:
        """Pause or continue. A camera's time passes meanwhile, and recordings leave it out; a film's stands still."""
        self.paused = not self.paused
        if self.paused:
            self._paused_at = time.monotonic()
            self._gaps.pause()
        elif self.source.live:
            for recording in filter(None, (self._overlaid, self._clean)):
                recording.skip(time.monotonic() - self._paused_at)

    @property
    def stalled(self) -> bool:
        """Whether a frame should have come by now."""
        return not self.paused and not self.ended and time.monotonic() - self._came > STALLED

    def notice(self, text: str, seconds: float = 0.2) -> None:
        """Show a line in the window for a while."""
        self._notice, self._until = text, time.monotonic() + seconds

    def render(self, frame: Frame, snapshot: Snapshot, fresh: bool) -> NDArray[np.uint8] | None:
        """Draw the overlay where it is shown or recorded, and record a *fresh* frame; return what is to be shown.

        With ``--draw-on looked`` it is drawn on the frame in which the faces were found, and that one is recorded.
        """
        if self._clean is not None and fresh:
            self._clean.write(frame.image, frame.time)
        if self._overlaid is None and not self.session.window:
            return None
        ground = self._ground(frame, snapshot)
        if ground is not frame:
            fresh = ground is not self._drawn
        self._drawn = ground
        drawn = draw(ground.image, snapshot, self._marks(snapshot), self._seats)
        if self._overlaid is not None and fresh:
            self._overlaid.write(drawn, ground.time)
        return drawn

    def _ground(self, frame: Frame, snapshot: Snapshot) -> Frame:
        """Return what is drawn on while *frame* is the newest."""
        return frame if self.session.draw_on == "newest" or snapshot.frame is None else snapshot.frame

    def press(self, key: str, frame: Frame, snapshot: Snapshot) -> None:
        """Do what a key of the window means (a value of `coabench.live.window.KEYS`)."""
        if key == "details":
            self.details = not self.details
        elif key == "still":
            ground = self._ground(frame, snapshot)
            drawn = draw(ground.image, snapshot, self._marks(snapshot), self._seats)
            files = save_still(self._folder, drawn, ground.index, snapshot)
            self.summary.files += [file for file in files if file not in self.summary.files]
            self.notice(f"saved {files[0].name} and {len(files) - 1} crops in {self._folder}", NOTICE)
        elif key == "record" and self._overlaid is not None:
            self._finish(self._overlaid)
            self.notice(f"recorded {self._overlaid.path.name}", NOTICE)
            self._overlaid = None
        elif key == "record":
            self._recordings += 1
            self._folder.mkdir(parents=True, exist_ok=True)
            self._overlaid = self._recording(self._folder / f"recording{self._recordings}.mp4")

    def _recording(self, path: Path | None, since: float | None = None) -> Recording | None:
        if path is None:
            return None
        recording = Recording(path, self.source.recording_rate(), since)
        self.summary.files.append(path)
        return recording

    def _finish(self, recording: Recording) -> None:
        recording.close()
        for note in recording.notes if not self.source.live else ():  # no camera's clock is that even
            self.say(note)

    def _end(self) -> float | None:
        """Return the time of the source up to which its last frame was shown; None where that is not known."""
        if self._last is None or self.paused:
            return None
        if self.source.live:
            return self._last.time + time.monotonic() - self._came
        return self.source.length if self.ended else None

    def _marks(self, snapshot: Snapshot) -> Marks:
        notice: str | None = self._notice if time.monotonic() < self._until else None
        if notice is None and snapshot.frame is not None and not snapshot.faces:
            notice = "no face"
        return Marks(
            fps=len(self._shown) / max(1.0, self._shown[-1] - self._shown[0]) if self.session.window else None,
            about=self.about,
            notice=notice,
            recording=self.session.window and (self._overlaid is not None or self._clean is not None),
            paused=self.paused,
            rates=self.session.window,
            gauges=self._gauges.read(),
            offline=self.stalled,
            details=self.details,
        )

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything, files last: until then a thread may still write. A further signal does not disturb it."""
        end = self._end()
        with signals.ignoring():
            if self.source.live and self._last is not None:
                self._gaps.end(self._last.time + time.monotonic() - self._came)
            for close in reversed(self._ends):
                if close() is False:
                    self.summary.left_behind = True
            with ExitStack() as files:  # each is closed, whatever happens to another
                if self._log is not None:
                    files.callback(self._log.close)
                for recording in filter(None, (self._overlaid, self._clean)):
                    if end is not None:
                        recording.hold(end)
                    files.callback(self._finish, recording)
            last = self.probe.snapshot()
            self.summary.rates, self.summary.beside = last.rates, last.beside
            self.summary.agreements = last.agreements
            self.summary.files = [file for file in self.summary.files if file.exists()]


def _beside(equipment: Equipment) -> dict[str, Any]:
    """Return what the head of the log says of those that answer beside the first: name -> identity."""
    others = zip(NAMES[1:], equipment.identities[1:], strict=False)
    beside = {name: identity.to_json() for name, identity in others}
    return {"beside": beside} if beside else {}
