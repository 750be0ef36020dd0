"""Snapshots of a probe, made up: faces with answers, for what draws or sends them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coabench.dialogue import Answer, Prediction, Question, Turn
from coabench.labels import Choices
from coabench.live.rates import Rates
from coabench.live.snapshot import FaceAnswer, FaceView, Frame, Snapshot

QUESTION = Question("?", Choices(("Happiness", "Surprise")))


def turn(label: str | None, response: str = "", scores: dict[str, float] | None = None) -> Turn:
    """Return an answered question."""
    return Turn(QUESTION, Answer(response or str(label), label=label, scores=scores))


def face(
    box: tuple[int, int, int, int],
    *said: Turn,
    label: str | None = "Happily Surprised",
    why: str = "unparsed-primary",
    seconds: float = 0.1,
    **more: Any,
) -> FaceView:
    """Return a face with an answer: *label*, or none and *why*."""
    prediction = Prediction(label) if label else Prediction.invalid(why)
    track, crop = more.get("track", 1), Image.new("RGB", (1, 1))
    answer = FaceAnswer(0, 0.0, track, box, 0.9, crop, "chain-of-affect", said, prediction, seconds)
    return FaceView(**{"track": 1, "box": box, "score": 0.9, "turns": said, "answer": answer, "age": 0.4, **more})


def snapshot(*faces: FaceView) -> Snapshot:
    """Return what a probe knows that sees *faces*."""
    return Snapshot(Frame(np.zeros((1, 1, 3), np.uint8), 0.0, 0), faces, Rates(9, 9, 9, 0, 9, 1.0, 0.9, 1.1))


def plain(width: int, height: int, value: int = 128) -> NDArray[np.uint8]:
    """Return a picture of one shade."""
    return np.full((height, width, 3), value, np.uint8)
