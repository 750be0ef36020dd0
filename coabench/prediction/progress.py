"""How predicting from Python reports its progress."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coabench.prediction.answer import FacePrediction


class PredictionProgress:
    """What `Model.predict` reports to; silent by default."""

    def start(self, total: int) -> AbstractContextManager[Any]:
        """Begin with so many pictures and films."""
        return nullcontext()

    def advance(self, done: int, said: Sequence[FacePrediction]) -> None:
        """Report what is said about a picture, or a picture of a film, the one that is number *done* from 1."""

    def note(self, text: str) -> None:
        """Report a sentence."""
