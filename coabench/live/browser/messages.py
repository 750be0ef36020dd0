"""What travels over the socket beside frames, as JSON; docs/webcam-browser.md lists it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coabench.dialogue import Turn
from coabench.errors import CoabenchError, UserError
from coabench.live.reasons import why_no_label
from coabench.live.snapshot import FaceAnswer, FaceView, Snapshot, confidence

Message = Mapping[str, Any]
Seat = Literal["free", "yours", "taken"]
COMMANDS = {"start": set[str](), "stop": set[str](), "strategy": {"name"}}
"""What a viewer may say, and the fields that go with it."""
LONGEST = 1000
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
    adapter: str | None,
    switching: str | None,
    acknowledged: int | None,
    frame: int | None,
    captured: float,
) -> dict[str, Any]:
    """Return what is to be seen now.

    Args:
        snapshot: None where there is nothing that this viewer may see.
        adapter: the one in use; each strategy may have its own.
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
        "faces": [] if snapshot is None or shown is None else [_face(face) for face in snapshot.faces],
        "rates": rates,
        "gauges": gauges,
        "strategy": strategy,
        "adapter": adapter,
        "switching": switching,
    }


def _face(face: FaceView) -> dict[str, Any]:
    answer = face.answer
    return {
        "track": face.track,
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
    }


def answered(answer: FaceAnswer, captured: float) -> dict[str, Any]:
    """Return a finished answer; *captured* is its frame's time by the viewer's clock."""
    return {
        "type": "answer",
        "captured": round(captured, 3),
        "track": answer.track,
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
        }
        for turn in said
    ]


def problem(about: str, error: CoabenchError, frame: int | None = None) -> dict[str, Any]:
    """Return what went wrong, in words; *frame* is the number of a frame that is done with."""
    words = {"problem": error.problem, "expected": error.expected, "found": error.found, "remedy": error.remedy}
    return {"type": "problem", "about": about, "frame": frame, **words}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
