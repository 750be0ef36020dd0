"""What the overlay says: about each face, and in the corners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coabench.base.text import safe
from coabench.live.gauges import Gauges
from coabench.live.overlay.colours import ALARM, NOTICE, QUIET, TEXT, Colour
from coabench.live.rates import Rates
from coabench.live.reasons import why_no_label
from coabench.live.snapshot import FaceAnswer, FaceView, Opinion, Snapshot
from coabench.metrics.calibration import probabilities

Piece = tuple[str, Colour]
Line = tuple[Piece, ...]
"""Pieces stand from left to right, whichever way the script of each is written."""

LIKELIEST = 3
"""Options of a question that are shown with their probabilities."""
READABLE = 0.25
"""Seconds that a line must stand to be read."""


@dataclass(frozen=True)
class Marks:
    """What is shown beside the faces.

    Attributes:
        fps: frames shown a second; None for a recording.
        about: what answers: backbone and strategy.
        notice: a line at the bottom.
        details: the stages, ages and rates, beside the labels.
        rates: how fast it goes; not in a film that nobody watches meanwhile.
        gauges: what the session takes of its machine, beside the rates.
        offline: the source gives nothing, so that there are no rates.
    """

    fps: float | None = None
    about: str = ""
    notice: str | None = None
    recording: bool = False
    paused: bool = False
    details: bool = True
    rates: bool = True
    offline: bool = False
    gauges: Gauges | None = None


def about_face(face: FaceView, details: bool, options: bool = True) -> tuple[Line, ...]:
    """Return what is said about a face: its label; with details the stages, the age, whether it is stale, and with
    *options* the likeliest of each question."""
    answer, number = face.answer, (f"#{face.track}  A" if face.beside else f"#{face.track}", TEXT)
    if answer is None:
        lines: list[Line] = [(number, ("  asking", QUIET)) if face.asking else (number,)]
    elif face.smoothed is not None:
        lines = [(number, ("  ", TEXT), *_votes(face.smoothed))]
        if details:
            lines.append((("now ", QUIET), *_said(answer)))
    else:
        lines = [(number, ("  ", TEXT), *_said(answer))]
    if face.beside and answer is not None:
        lines[0] = (*lines[0], *_differing(face.beside))
        lines += [_beside(opinion) for opinion in face.beside if opinion.answer is not None]
    if details:
        stages = _stages(face)
        if stages:
            lines.append(stages)
        if answer is not None and options:
            lines += _options(answer)
        if face.age is not None:
            lines.append(((f"{face.age:.1f} s ago", QUIET), *((("  stale", NOTICE),) if face.stale else ())))
    elif face.stale:
        lines.append((("stale", NOTICE),))
    return tuple(lines)


def _differing(beside: Sequence[Opinion]) -> Line:
    """Return who else gives another label, for the one line that a crowd leaves: ``≠ B C``."""
    others = [opinion.name for opinion in beside if opinion.differs]
    return ((f"  ≠ {' '.join(others)}", NOTICE),) if others else ()


def _beside(opinion: Opinion) -> Line:
    """Return what another one says about the face: ``B = Sadly Angry``, or ``B ≠ …`` where it differs."""
    assert opinion.answer is not None
    mark = (f"{opinion.name} ≠ ", NOTICE) if opinion.differs else (f"{opinion.name} = ", QUIET)
    smoothed = opinion.answer.smoothed
    return (mark, *((_votes(smoothed)) if smoothed is not None else _said(opinion.answer)))


def _options(answer: FaceAnswer) -> list[Line]:
    """Return the likeliest options of each question that has scores: ``1  Happiness 62%  Surprise 21%  Fear 9%``."""
    lines: list[Line] = []
    for number, turn in enumerate(answer.turns, start=1):
        shares = probabilities(turn.answer.scores) if turn.answer.scores else {}
        best = sorted(shares, key=shares.__getitem__, reverse=True)[:LIKELIEST]
        said = [(f"  {safe(option, 24)} {shares[option]:.0%}", QUIET) for option in best]
        lines += [((f"{number}", QUIET), *said)] if said else []
    return lines


def _votes(label: str) -> Line:
    return (safe(label, 40), TEXT), ("  (smoothed)", TEXT)


def _said(answer: FaceAnswer) -> Line:
    """Return the label of an answer with its probability, or why there is none."""
    prediction, confidence = answer.prediction, answer.confidence
    if prediction.label is None:
        return ((f"no label: {why_no_label(prediction)}", NOTICE),)
    share = () if confidence is None else ((f"  {confidence:.0%}", TEXT),)
    return ((safe(prediction.label, 40), TEXT), *share)


def _stages(face: FaceView) -> Line:
    """Return the stages so far: ``1 Happiness  2 …``.

    The last answer's, until the next one's first has arrived; all along where answers come faster than one can read.
    Nothing for a strategy that asks once: its label says it all.
    """
    answer = face.answer
    arriving = face.asking and (answer is None or (bool(face.turns) and answer.seconds > READABLE))
    turns = face.turns if arriving or answer is None else answer.turns
    said = [safe(t.answer.label or f"“{safe(t.answer.response, 18)}”", 24) for t in turns]
    if arriving:
        said.append("…")
    if len(said) < 2 and answer is not None:
        return ()
    return tuple(
        piece
        for number, text in enumerate(said, start=1)
        for piece in ((f"{'  ' if number > 1 else ''}{number} ", QUIET), (text, QUIET))
    )


def in_corners(snapshot: Snapshot, marks: Marks) -> dict[str, tuple[Line, ...]]:
    """Return what belongs to no face: ``rates``, ``state`` and ``notice``, where there is something to say."""
    lines: list[Line] = _rates(snapshot.rates, marks) if marks.rates else []
    if marks.details and marks.about:
        lines.append(((safe(marks.about, 90), QUIET),))
    if marks.details:
        lines += [
            ((f"{pair.first} = {pair.second}  {pair.share:.0%} of {pair.looks}", QUIET),)
            for pair in snapshot.agreements
            if pair.share is not None
        ]
    said = {"rates": tuple(lines)} if lines else {}
    states: list[Line] = [(("● REC", ALARM),)] if marks.recording else []
    states += [(("paused", NOTICE),)] if marks.paused else []
    if states:
        said["state"] = tuple(states)
    if marks.notice:
        said["notice"] = (((safe(marks.notice, 80), TEXT),),)
    return said


def _rates(rates: Rates, marks: Marks) -> list[Line]:
    """Return how fast it goes: a dash where nothing goes."""
    speed = [] if marks.fps is None else ["– fps" if marks.offline else f"{marks.fps:.0f} fps"]
    speed.append("– answers/s" if marks.offline else f"{rates.answers_per_second:.1f} answers/s")
    lines: list[Line] = [(("  ".join(speed), TEXT),)]
    if marks.details and rates.median is not None and rates.p95 is not None:
        median, p95 = ("–", "–") if marks.offline else (_seconds(rates.median), _seconds(rates.p95))
        lines.append(((f"model, median {median}  p95 {p95}", QUIET),))
    if marks.details and not marks.offline:
        parts = (("detect", rates.detect), ("wait", rates.wait))
        lines.append(((_joined(f"{name} {_seconds(value)}" for name, value in parts if value is not None), QUIET),))
        lines.append(((_joined(_gauged(marks.gauges or Gauges())), QUIET),))
    return [line for line in lines if line[0][0]]


def _gauged(gauges: Gauges) -> Iterator[str]:
    """Yield what is known, each with its name."""
    for name, share, size in (
        ("processor", gauges.processor, gauges.memory),
        ("GPU", gauges.gpu, gauges.gpu_memory),
    ):
        said = [*([f"{share:.0%}"] if share is not None else []), *([f"{size / 1e9:.1f} GB"] if size else [])]
        if said:
            yield " ".join((name, *said))


def _joined(parts: Iterable[str]) -> str:
    return "  ".join(parts)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
