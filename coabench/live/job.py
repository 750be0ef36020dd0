"""The webcam job: a source, a detector, a backbone and a strategy, live or in order; shown, recorded and logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial

from coabench.base import signals
from coabench.base.worker_thread import WorkerThread
from coabench.live.browser import Browser, prepare, serve
from coabench.live.browser.addresses import Addresses
from coabench.live.capture import Capture
from coabench.live.equipment import Equipment, equip
from coabench.live.overlay import font_warnings
from coabench.live.probe import CLOSING, Probe
from coabench.live.publish import Publisher, read_targets
from coabench.live.publish.stdout import kept_for_lines
from coabench.live.session import Session, Summary
from coabench.live.snapshot import Frame
from coabench.live.sources import Note, Source, open_source
from coabench.live.stage import Stage
from coabench.live.window import Window, check_display
from coabench.registry.blame import contained

__all__ = ["Equipment", "Session", "Summary", "webcam"]


def webcam(session: Session, note: Note) -> Summary:
    """Probe until the source ends, the user ends it, or a limit is reached.

    Raises:
        UserError: bad input; nothing was written.
        JobError: something failed on the way; what was written is valid.
    """
    session.check_outputs()
    Addresses(session.permissions.addresses)
    targets = read_targets(session.publishing.targets)
    summary = Summary()
    with ExitStack() as stack:
        lines = stack.enter_context(kept_for_lines()) if any(target.kind == "stdout" for target in targets) else None
        publisher = stack.enter_context(Publisher(targets, session.publishing.serving, lines, note))
        address = None if session.serving is None else stack.enter_context(prepare(session.serving))
        equipment = equip(
            session.choice, session.detector, session.weights, session.settings, note, session.beside, session.offers
        )
        stack.callback(equipment.detector.close)
        source = open_source(session.source, note) if address is None else Browser(note)
        stack.callback(source.close)
        if session.window:
            check_display()
        if session.window or session.record is not None:
            space = equipment.askers[0].space
            for line in font_warnings([*space.names, *(name for name in space.basic if name not in space.names)]):
                note(line)
        note("loading the backbone")
        equipment.load(note)
        asker, *beside = equipment.askers
        probe = Probe(equipment.detector, asker, session.settings, beside)
        stage = stack.enter_context(Stage(session, equipment, source, probe, summary, publisher, note))
        with _interruptible(summary, stage):
            if address is not None:
                close = cache(probe.close)
                stage.at_end(close)
                serve(address, probe, equipment, note, close, session.stored, stage.log_event, session.permissions)
            elif session.window or source.live:
                _live(stage, source, probe)
            else:
                _in_order(stage, source, probe)
    return summary


@contextmanager
def _interruptible(summary: Summary, stage: Stage) -> Iterator[None]:
    """Take Ctrl-C and other signals that ask to end as the user's wish; the log says which it was."""
    try:
        with contained():
            yield
    except KeyboardInterrupt:
        summary.interrupted = True
        stage.log_note(f"stopped by {signals.cause()}")


def _live(stage: Stage, source: Source, probe: Probe) -> None:
    """Offer each new frame to the probe; show the newest one with what is known by now. Never wait for the model."""
    capture = Capture(source)
    stage.at_end(capture.close)
    stage.at_end(probe.close)
    probe.start()
    window = Window() if stage.session.window else None
    if window is not None:
        stage.at_end(window.close)
    current: Frame | None = None
    drawn = time.monotonic()
    while not stage.over(current):
        frame = capture.take(0.02)
        probe.check()
        moment = time.monotonic()
        if frame is not None and not stage.paused:
            current = frame
            stage.count_frame(frame)
            probe.offer(frame)
        elif capture.ended:
            stage.ended = True
            if window is None or not source.stays:
                return
            time.sleep(0.02)
        if stage.stalled:
            stage.notice(f"waiting for {source.name}")
        fresh = current is frame and frame is not None
        if current is not None and (fresh or moment - drawn > 0.1):
            drawn = moment
            picture = stage.render(current, probe.snapshot(), fresh)
            if window is not None and picture is not None:
                window.show(picture)
        key = window.pressed() if window is not None else None
        if key == "end":
            return
        if key == "pause":
            stage.pause()
            capture.pause(stage.paused)
        elif key is not None and current is not None:
            stage.press(key, current, probe.snapshot())


def _in_order(stage: Stage, source: Source, probe: Probe) -> None:
    """Work through every frame of the source, so that the same video gives the same answers each time."""
    thread = WorkerThread("in-order")
    stage.at_end(lambda: thread.close(CLOSING))
    stage.at_end(probe.close)
    for frame in source.frames():
        thread.run(partial(probe.step, frame))
        stage.count_frame(frame)
        stage.render(frame, probe.snapshot(), True)
        if stage.over(frame):
            return
    stage.ended = True
