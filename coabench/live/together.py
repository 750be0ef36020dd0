"""Several askers about the same pictures: they look once where they can, and their answers can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coabench.base.vocabulary import ERROR
from coabench.dialogue import Prediction, Turn
from coabench.errors import SampleError
from coabench.inference.engine import Outcome
from coabench.live.asker import Asker

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Answered:
    """What one asker made of crops: an outcome for each, and the seconds from the crops to these outcomes."""

    outcomes: list[Outcome]
    seconds: float


def ask_together(
    askers: Sequence[Asker], crops: Sequence[Image], on_turn: Callable[[int, int, Turn], None] | None = None
) -> list[Answered]:
    """Let askers, all of them loaded, answer about the same crops; those that share a look do look once.

    Args:
        crops: RGB images.
        on_turn: called with the asker's and the crop's position and each turn as soon as it is understood.

    Returns:
        what each of them answers, in their order. It is what each would answer alone; the seconds are more, as those
        asked later wait for the others.
    """
    started = time.perf_counter()
    answered: dict[int, Answered] = {}
    for position, lead in enumerate(askers):
        if position in answered:
            continue
        outcomes = [Outcome() for _ in crops]
        usable: list[tuple[int, Any]] = []
        for i, crop in enumerate(crops):
            try:
                usable.append((i, lead.prepare(crop)))
            except SampleError as error:
                outcomes[i].prediction = Prediction(None, ERROR, str(error))
        viewing = lead.backbone.look([prepared for _, prepared in usable]) if usable else None
        for sharing in range(position, len(askers)):
            if sharing in answered or not askers[sharing].shares_look(lead):
                continue
            own = list(outcomes)
            if viewing is not None:
                viewing.restart()
                held = askers[sharing].talk(viewing, len(usable), _forwarded(on_turn, sharing, [i for i, _ in usable]))
                for (i, _), outcome in zip(usable, held, strict=True):
                    own[i] = outcome
            answered[sharing] = Answered(own, time.perf_counter() - started)
    return [answered[position] for position in range(len(askers))]


def _forwarded(
    on_turn: Callable[[int, int, Turn], None] | None, asker: int, crops: Sequence[int]
) -> Callable[[int, Turn], None] | None:
    return None if on_turn is None else (lambda i, turn: on_turn(asker, crops[i], turn))


def load_askers(askers: Sequence[Asker]) -> None:
    """Bring in the weights of all, those of the same backbone and adapter once. May raise `UserError`."""
    for position, asker in enumerate(askers):
        for earlier in askers[:position]:
            asker.share_weights(earlier)
        asker.load()
