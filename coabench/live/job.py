"""The webcam job: a source, a detector, a backbone and a strategy, live or in order; shown, recorded and logged."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base import environment
from coabench.errors import UserError
from coabench.live.asker import Asker, Choice, open_asker
from coabench.live.browser import Browser, Serving, prepare, serve
from coabench.live.capture import Capture
from coabench.live.detector_process import DetectorProcess
from coabench.live.log import LiveLog
from coabench.live.overlay import Marks, draw
from coabench.live.probe import CLOSING, Probe, Settings
from coabench.live.rates import Rates
from coabench.live.recording import Recording, check_new_file, check_recording
from coabench.live.snapshot import Frame, Snapshot
from coabench.live.sources import Source, open_source, shown
from coabench.live.stills import save_crops, save_still
from coabench.live.window import Window, check_display
from coabench.live.worker_thread import WorkerThread
from coabench.registry.catalog import origin
from coabench.registry.detectors import AUTO, find_detector
from coabench.runs.folder import now
from coabench.runs.identity import LiveIdentity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Note = Callable[[str], None]
REPORT = 10.0
"""Seconds between two lines of progress where there is no window."""
STALLED = 2.0
"""Seconds without a frame after which the window says so."""
NOTICE = 2.0
"""Seconds for which the window shows what a key has done."""


@dataclass(frozen=True)
class Session:
    """What to look at and what to keep, as the command line says it.

    Attributes:
        source: see `coabench.live.sources.open_source`.
        serving: look through the camera of a browser instead, without a window.
        window: show it. Without a window a source that is not live is worked through in order, nothing left out.
        detector, weights: see `coabench.registry.detectors.find_detector`.
        record, record_clean: videos with and without the overlay.
        log: a JSONL file of the answers.
        crops: a folder for the clean crop of every answer.
        stills: a folder for what the keys save.
        max_frames, seconds: end after so many frames, or so much time of the source.
        command: for the log.
    """

    choice: Choice = field(default_factory=Choice)
    source: str = "0"
    serving: Serving | None = None
    window: bool = True
    detector: str = AUTO
    weights: Path | None = None
    settings: Settings = field(default_factory=Settings)
    record: Path | None = None
    record_clean: Path | None = None
    log: Path | None = None
    crops: Path | None = None
    stills: Path = Path("stills")
    max_frames: int | None = None
    seconds: float | None = None
    command: tuple[str, ...] = ()


@dataclass
class Summary:
    """What came of a session.

    Attributes:
        files: what was written.
        interrupted: ended by Ctrl-C or a termination signal; all files are closed and valid.
        left_behind: a thread hangs in a model or a driver and cannot be ended.
    """

    rates: Rates = field(default_factory=Rates)
    files: list[Path] = field(default_factory=list)
    interrupted: bool = False
    left_behind: bool = False


@dataclass(frozen=True)
class Equipment:
    """What looks and what answers, checked; the detector is ready, the asker not loaded yet.

    Attributes:
        identity: everything that can change an answer.
        about: the same for people, in a line.
    """

    asker: Asker
    detector: DetectorProcess
    identity: LiveIdentity
    about: str


def equip(choice: Choice, detector: str, weights: Path | None, settings: Settings, note: Note) -> Equipment:
    """Check the choice of a backbone, a strategy and a detector; make the detector ready.

    Raises:
        UserError: something is unknown, missing, or does not go together.
    """
    found = find_detector(detector, weights)
    asker = open_asker(choice, {"detector": found.options})
    for line in found.passed_over:
        note(f"passed over {line}")
    chosen = asker.options["detector"]
    name = found.registration.name
    note(f"detector: {name}" + (" (the best that is available here)" if detector == AUTO else ""))
    for line in asker.notes:
        note(line)
    about = {"name": name, **origin(found.registration), "weights": weights and weights.name, "options": asdict(chosen)}
    identity = replace(asker.identity, detector=about, settings=asdict(settings))
    backbone = identity.backbone.name
    process = DetectorProcess(name, found.weights, chosen)
    return Equipment(asker, process, identity, f"{backbone} · {asker.strategy.name} · {name}")


def webcam(session: Session, note: Note) -> Summary:
    """Probe until the source ends, the user ends it, or a limit is reached.

    Raises:
        UserError: bad input; nothing was written.
        JobError: something failed on the way; what was written is valid.
    """
    _check_outputs(session)
    if session.window:
        check_display()
    summary = Summary()
    with ExitStack() as stack:
        place = None if session.serving is None else stack.enter_context(prepare(session.serving))
        equipment = equip(session.choice, session.detector, session.weights, session.settings, note)
        stack.callback(equipment.detector.close)
        source = open_source(session.source, note) if place is None else Browser(note)
        stack.callback(source.close)
        told = len(equipment.asker.notes)
        note("loading the backbone")
        equipment.asker.load()
        for line in equipment.asker.notes[told:]:
            note(line)
        probe = Probe(equipment.detector, equipment.asker, session.settings)
        stage = stack.enter_context(_Stage(session, equipment, source, probe, summary, note))
        with _interruptible(summary):
            if place is not None:
                close = cache(probe.close)
                stage.to_end(close)
                serve(place, probe, equipment.asker, note, close, _kept(session))
            elif session.window or source.live:
                _live(stage, source, probe)
            else:
                _in_order(stage, source, probe)
    return summary


def _kept(session: Session) -> list[str]:
    """Return what is stored of a session, for those in the picture."""
    kept = {"the answers, without pictures": session.log, "a picture of every face that is asked about": session.crops}
    return [what for what, where in kept.items() if where is not None]


def _check_outputs(session: Session) -> None:
    outputs = {"--record": session.record, "--record-clean": session.record_clean, "--log": session.log}
    given = [path.absolute() for path in outputs.values() if path is not None]
    if len(set(given)) < len(given):
        raise UserError("two outputs have the same name", found=str(given[0]), remedy="give each a name of its own")
    for option, path in outputs.items():
        if path is not None and option == "--log":
            check_new_file(path, option)
        elif path is not None:
            check_recording(path, option)
    for option, folder in (("--crops", session.crops), ("--stills", session.stills)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UserError(f"{option} {folder} is no folder", remedy="choose another")
    if session.crops is not None and session.crops.is_dir() and any(session.crops.iterdir()):
        raise UserError(
            f"--crops {session.crops} is not empty",
            expected="a new or empty folder: crops of two sessions would have the same names",
            remedy="choose another --crops",
        )


@contextmanager
def _interruptible(summary: Summary) -> Iterator[None]:
    """Take Ctrl-C and a termination signal as the wish to end."""
    with _signal(signal.SIGTERM, signal.default_int_handler):
        try:
            yield
        except KeyboardInterrupt:
            summary.interrupted = True


@contextmanager
def _signal(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Handle a signal otherwise for a while; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


# -- live, and in order -----------------------------------------------------------------------------------------------


def _live(stage: _Stage, source: Source, probe: Probe) -> None:
    """Offer each new frame to the probe; show the newest one with what is known by now. Never wait for the model."""
    capture = Capture(source)
    stage.to_end(capture.close)
    stage.to_end(probe.close)
    probe.start()
    window = Window() if stage.session.window else None
    if window is not None:
        stage.to_end(window.close)
    current: Frame | None = None
    drawn = came = time.monotonic()
    while not stage.over(current):
        frame = capture.take(0.02)
        probe.check()
        moment = time.monotonic()
        if frame is not None and not stage.paused:
            current, came = frame, moment
            stage.frame_came()
            probe.offer(frame)
        elif capture.ended:
            if window is None or not source.stays:
                return
            time.sleep(0.02)
        if moment - came > STALLED and not stage.paused and not capture.ended:
            stage.notice(f"waiting for {source.name}")
        fresh = current is frame and frame is not None
        if current is not None and (fresh or moment - drawn > 0.1):
            drawn = moment
            shown_now = stage.render(current, probe.snapshot(), fresh)
            if window is not None and shown_now is not None:
                window.show(shown_now)
        asked = window.pressed() if window is not None else None
        if asked == "end":
            return
        if asked == "pause":
            stage.paused = not stage.paused
            capture.pause(stage.paused)
        elif asked is not None and current is not None:
            stage.obey(asked, current, probe.snapshot())


def _in_order(stage: _Stage, source: Source, probe: Probe) -> None:
    """Work through every frame of the source, so that the same video gives the same answers each time."""
    thread = WorkerThread("in-order")
    stage.to_end(lambda: thread.close(CLOSING))
    stage.to_end(probe.close)
    for frame in source.frames():
        thread.run(partial(probe.step, frame))
        stage.frame_came()
        stage.render(frame, probe.snapshot(), True)
        if stage.over(frame):
            return


# -- what is kept and shown -------------------------------------------------------------------------------------------


class _Stage:
    """The outputs of a session, and what its window shows beside the faces."""

    def __init__(
        self, session: Session, equipment: Equipment, source: Source, probe: Probe, summary: Summary, note: Note
    ) -> None:
        self.session, self.source, self.probe, self.summary, self.note = session, source, probe, summary, note
        self.about, self.paused, self.details = equipment.about, False, True
        self._ends: list[Callable[[], object]] = []
        self._began = self._reported = time.monotonic()
        self._folder = session.stills / datetime.now().strftime("%Y%m%d-%H%M%S")
        self._shown: list[float] = []
        self._frames = 0
        self._notice, self._until = "", 0.0
        self._overlaid = self._recording(session.record)
        self._clean = self._recording(session.record_clean)
        self._recordings = 0
        self._log: LiveLog | None = None
        if session.log is not None:
            header = {
                "started": now(),
                "command": [shown(word) for word in session.command],
                "source": shown(source.name),
                "identity": equipment.identity.to_json(),
                "environment": environment.describe(),
            }
            self._log = LiveLog(session.log, header)
            summary.files.append(session.log)
            probe.listen(self._log)
        if session.crops is not None:
            folder = session.crops
            summary.files.append(folder)
            probe.listen(lambda answer: _ignore(save_crops(folder, [answer])))

    def to_end(self, close: Callable[[], object]) -> None:
        """Call *close* at the end, the last one first; where it returns False a thread is left behind."""
        self._ends.append(close)

    def over(self, frame: Frame | None) -> bool:
        """Whether a limit was reached with this frame."""
        limit, seconds = self.session.max_frames, self.session.seconds
        if limit is not None and self._frames >= limit:
            return True
        return seconds is not None and frame is not None and frame.time >= seconds

    def frame_came(self) -> None:
        """Count a frame; without a window, report now and then."""
        self._frames += 1
        moment = time.monotonic()
        self._shown = [t for t in self._shown[-240:] if t > moment - 1] + [moment]
        if not self.session.window and moment - self._reported > REPORT:
            self._reported = moment
            rates = self.probe.snapshot().rates
            self.note(f"{self._frames} frames, {rates.answers} answers, {rates.answers_per_second:.1f} a second")

    def notice(self, text: str, seconds: float = 0.2) -> None:
        """Show a line in the window for a while."""
        self._notice, self._until = text, time.monotonic() + seconds

    def render(self, frame: Frame, snapshot: Snapshot, fresh: bool) -> NDArray[np.uint8] | None:
        """Draw the overlay where somebody sees it, and record a *fresh* frame; return what is to be shown."""
        if self._clean is not None and fresh:
            self._clean.write(frame.image, frame.time)
        if self._overlaid is None and not self.session.window:
            return None
        drawn = draw(frame.image, snapshot, self._marks(snapshot))
        if self._overlaid is not None and fresh:
            self._overlaid.write(drawn, frame.time)
        return drawn

    def obey(self, asked: str, frame: Frame, snapshot: Snapshot) -> None:
        """Do what a key asks for."""
        if asked == "details":
            self.details = not self.details
        elif asked == "still":
            files = save_still(self._folder, draw(frame.image, snapshot, self._marks(snapshot)), frame.index, snapshot)
            self.summary.files += [file for file in files if file not in self.summary.files]
            self.notice(f"saved {files[0].name} and {len(files) - 1} crops in {self._folder}", NOTICE)
        elif asked == "record" and self._overlaid is not None:
            self._overlaid.close()
            self.notice(f"recorded {self._overlaid.path.name}", NOTICE)
            self._overlaid = None
        elif asked == "record":
            self._recordings += 1
            self._folder.mkdir(parents=True, exist_ok=True)
            self._overlaid = self._recording(self._folder / f"recording{self._recordings}.mp4")

    def _recording(self, path: Path | None) -> Recording | None:
        if path is None:
            return None
        recording = Recording(path, self.source.fps)
        self.summary.files.append(path)
        return recording

    def _marks(self, snapshot: Snapshot) -> Marks:
        notice: str | None = self._notice if time.monotonic() < self._until else None
        if notice is None and snapshot.frame is not None and not snapshot.faces:
            notice = "no face"
        return Marks(
            fps=len(self._shown) / max(1.0, self._shown[-1] - self._shown[0]) if self.session.window else None,
            about=self.about,
            notice=notice,
            recording=self._overlaid is not None or self._clean is not None,
            paused=self.paused,
            details=self.details,
        )

    def __enter__(self) -> _Stage:
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything, files last: until then a thread may still write. A further Ctrl-C does not disturb it."""
        with _signal(signal.SIGINT, signal.SIG_IGN), _signal(signal.SIGTERM, signal.SIG_IGN):
            for close in reversed(self._ends):
                if close() is False:
                    self.summary.left_behind = True
            for output in (self._overlaid, self._clean, self._log):
                if output is not None:
                    output.close()
            self.summary.rates = self.probe.snapshot().rates
            self.summary.files = [file for file in self.summary.files if file.exists()]


def _ignore(_: object) -> None:
    return
