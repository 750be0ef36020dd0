"""Asking about the faces of a frame: their crops, and the answers of all askers about each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from coabench.base.vocabulary import ERROR
from coabench.dialogue import Prediction, Turn
from coabench.live.agreement import NAMES
from coabench.live.asker import Asker
from coabench.live.finder import Seen
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer, Frame
from coabench.live.together import ask_together
from coabench.live.tracker import Track
from coabench.support.crop_settings import CropSettings
from coabench.support.crops import crop_face

if TYPE_CHECKING:
    from PIL.Image import Image


def cut_faces(frame: Frame, tracks: Sequence[Track], settings: Settings) -> list[Image]:
    """Return the clean RGB picture of each face that a backbone is shown."""
    cut = CropSettings(settings.margin, align=settings.align)
    return [crop_face(frame.image, track.face, cut) for track in tracks]


def ask_about(
    askers: Sequence[Asker],
    seen: Seen,
    tracks: Sequence[Track],
    settings: Settings,
    on_turn: Callable[[int, int, Turn], None],
) -> list[list[FaceAnswer]]:
    """Return for each of *tracks*, faces of a frame, the answers of all askers, in their order.

    Args:
        on_turn: see `ask_together`.
    """
    frame, wait = seen.frame, time.perf_counter() - seen.came - seen.detect
    crops = cut_faces(frame, tracks, settings)
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
    return looks
