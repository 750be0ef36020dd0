"""A backbone, a strategy and a detector, loaded once to be asked many times from Python."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from coabench.base.schema import At, at_least, read_value
from coabench.live.asker import Choice
from coabench.prediction.answer import Predictions
from coabench.prediction.faces import FaceChoice
from coabench.prediction.objects import checked, read
from coabench.prediction.predictor import open_predictor
from coabench.registry.blame import contained
from coabench.registry.defaults import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coabench.prediction.objects import PictureLike

EVERY = 1.0
"""Seconds between two pictures of a film."""


class Model:
    """What `coabench.load` returns: ask it with `predict`.

    Attributes:
        notes: what the user should know, in sentences; `predict` adds what it passes over.
    """

    @contained()
    def __init__(self, choice: Choice, faces: FaceChoice) -> None:
        """Check everything and bring in the weights.

        Raises:
            UserError: something is unknown, missing, or does not go together.
        """
        self._predictor = open_predictor(choice, faces)
        self._predictor.load()
        self._faces = faces
        self.notes: list[str] = self._predictor.notes
        self._title = f"{self._predictor.identity.backbone.name}, {self._predictor.identity.strategy.name}"

    @contained()
    def predict(
        self,
        pictures: PictureLike | Iterable[PictureLike],
        *,
        faces: str | int | None = None,
        every: float = EVERY,
        batch_size: int = BATCH_SIZE,
    ) -> Predictions:
        """Return what is said about each face, in order; of a picture without any, and of a broken file, why not.

        Args:
            pictures: a path, a PIL image, a NumPy array (height, width, 3) of uint8 in RGB, or several of them. Folders
                and patterns stand for their files.
            faces: ``all``, ``largest``, how many of the largest, or ``none`` for pictures that are faces already; None
                for what was chosen when the model was loaded.
            every: seconds between two pictures of a film; 0 for every frame.
            batch_size: how many faces are asked about at a time; no answer depends on it.

        Raises:
            UserError: something else than pictures, or a path that stands for nothing.
        """
        every = read_value(Annotated[float, at_least(0)], every, At("every", "correct it"))
        batch_size = read_value(Annotated[int, at_least(1)], batch_size, At("batch_size", "correct it"))
        choice = self._faces if faces is None else replace(self._faces, faces=str(faces))
        found = checked(pictures, self.notes.append)
        said = self._predictor.choosing(choice).predict(read(found, every, self.notes.append), batch_size)
        predicted = Predictions(each for faces_of_one in said for each in faces_of_one)
        self.notes += [note for note in self._predictor.notes if note not in self.notes]
        return predicted

    def __repr__(self) -> str:
        return f"<Model {self._title}>"
