"""What travels over the socket beside frames, as JSON; docs/guides/webcam-browser.md lists it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coabench.dialogue import Turn
from coabench.errors import CoabenchError, UserError
from coabench.live.agreement import Agreement
from coabench.live.prompt import Prompted
from coabench.live.reasons import why_no_label
from coabench.live.snapshot import FaceAnswer, FaceView, Opinion, Snapshot, confidence
from coabench.metrics.calibration import probabilities

Message = Mapping[str, Any]
Seat = Literal["free", "yours", "taken"]
COMMANDS = {
    "start": set[str](), "stop": set[str](), "strategy": {"name"}, "offer": {"name"}, "detector": {"name"},
    "set": {"name", "value"}, "film": {"name", "size"}, "cancel": set[str](), "address": {"address"},
    "camera": set[str](), "again": set[str](), "shown": {"number"}, "prompt": {"text"}, "name": {"track", "name"},
    "merge": {"track", "into"},
}  # fmt: skip
"""What a viewer may say, and the fields that go with it."""
LONGEST = 4000
"""Characters of a command at most."""
SHOWN = 200
"""Characters of a raw response that are sent; the log has all of them."""


def read_command(text: str) -> dict[str, str]:
    """Return what a viewer says; `UserError` where it is nothing that it may say."""
    try:
        said = json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        said = None
    command = said if isinstance(said, dict) else {}
    texts = all(isinstance(value, str) for value in command.values())
    kind = command.get("type") if texts else None
    if kind not in COMMANDS or set(command) != {"type", *COMMANDS[kind]}:
        raise UserError("a message cannot be understood", expected="one of " + ", ".join(COMMANDS) + ", or a frame")
    return command


def state(
    snapshot: Snapshot | None,
    *,
    rates: Message,
    gauges: Message,
    strategy: str,
    answerers: Sequence[Message],
    offer: str | None,
    detector: str | None,
    source: Message | None,
    settings: Message,
    prompt: Message,
    in_use: Message,
    names: Mapping[int, str],
    switching: str | None,
    acknowledged: int | None,
    frame: int | None,
    captured: float,
) -> dict[str, Any]:
    """Return what is to be seen now.

    Args:
        snapshot: None where there is nothing that this viewer may see.
        source: what this viewer looks at; None where that is nobody's business.
        in_use: what answers: backbone, model, adapter and so on.
        names: of faces that the viewer has named.
        acknowledged: the number of the viewer's newest frame that is done with, once the next one is welcome.
        frame: the number of the viewer's frame whose faces these are.
        captured: when the frame was taken that ages count from, by the viewer's clock.
    """
    shown = snapshot.frame if snapshot is not None else None
    return {
        "type": "state",
        "acknowledged": acknowledged,
        "captured": round(captured, 3),
        "frame": frame,
        "size": None if shown is None else [shown.image.shape[1], shown.image.shape[0]],
        "faces": [] if snapshot is None or shown is None else [_face(face, names) for face in snapshot.faces],
        "agreements": [] if snapshot is None else [_agreement(pair) for pair in snapshot.agreements],
        "rates": rates,
        "gauges": gauges,
        "strategy": strategy,
        **in_use,
        "answerers": answerers,
        "offer": offer,
        "detector": detector,
        "source": source,
        "settings": settings,
        "prompt": prompt,
        "switching": switching,
    }


def _face(face: FaceView, names: Mapping[int, str]) -> dict[str, Any]:
    answer = face.answer
    return {
        "track": face.track,
        "name": names.get(face.track),
        "box": list(face.box),
        "score": round(face.score, 4),
        "asking": face.asking,
        "turns": turns(face.turns),
        "outcome": None if answer is None else answer.outcome,
        "label": None if answer is None else answer.prediction.label,
        "why": None if answer is None else why_no_label(answer.prediction),
        "smoothed": face.smoothed,
        "confidence": None if answer is None else _rounded(answer.confidence),
        "age": None if face.age is None else round(face.age, 3),
        "stale": face.stale,
        "beside": [_opinion(opinion) for opinion in face.beside],
    }


def _opinion(opinion: Opinion) -> dict[str, Any]:
    answer = opinion.answer
    return {
        "name": opinion.name,
        "turns": turns(opinion.turns),
        "outcome": None if answer is None else answer.outcome,
        "label": None if answer is None else answer.prediction.label,
        "why": None if answer is None else why_no_label(answer.prediction),
        "smoothed": None if answer is None else answer.smoothed,
        "confidence": None if answer is None else _rounded(answer.confidence),
        "differs": opinion.differs,
    }


def _agreement(pair: Agreement) -> dict[str, Any]:
    return {"first": pair.first, "second": pair.second, "looks": pair.looks, "agreed": pair.agreed}


def answered(answer: FaceAnswer, captured: float) -> dict[str, Any]:
    """Return a finished answer; *captured* is its frame's time by the viewer's clock."""
    return {
        "type": "answer",
        "captured": round(captured, 3),
        "track": answer.track,
        "answerer": answer.answerer,
        "strategy": answer.strategy,
        "outcome": answer.outcome,
        "label": answer.prediction.label,
        "why": why_no_label(answer.prediction),
        "turns": turns(answer.turns),
        "confidence": _rounded(answer.confidence),
        "seconds": round(answer.seconds, 4),
        "detect": round(answer.detect, 4),
        "wait": round(answer.wait, 4),
    }


def turns(said: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns without their prompts."""
    return [
        {
            "name": turn.question.name,
            "label": turn.answer.label,
            "response": turn.answer.response[:SHOWN],
            "confidence": _rounded(confidence([turn])),
            "options": _options(turn),
        }
        for turn in said
    ]


def _options(turn: Turn) -> list[list[str | float]] | None:
    """Return each option with its probability, the likeliest first; None where the options were not scored."""
    if not turn.answer.scores:
        return None
    shares = probabilities(turn.answer.scores)
    return [[option, round(shares[option], 4)] for option in sorted(shares, key=shares.__getitem__, reverse=True)]


def prompted(said: Sequence[Prompted], captured: float) -> dict[str, Any]:
    """Return what was said to a free question about each face."""
    return {
        "type": "prompted",
        "captured": round(captured, 3),
        "text": said[0].text,
        "seconds": round(said[0].seconds, 4),
        "responses": [{"track": one.track, "response": one.response, "error": one.error} for one in said],
    }


def problem(about: str, error: CoabenchError, frame: int | None = None) -> dict[str, Any]:
    """Return what went wrong, in words; *frame* is the number of a frame that is done with."""
    words = {"problem": error.problem, "expected": error.expected, "found": error.found, "remedy": error.remedy}
    return {"type": "problem", "about": about, "frame": frame, **words}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
