"""A backbone, a strategy and a detector, loaded once to be asked many times from Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from coabench.base.schema import At, at_least, read_value
from coabench.live.asker import Choice
from coabench.prediction.answer import Predictions
from coabench.prediction.faces import FaceChoice
from coabench.prediction.objects import checked, read
from coabench.prediction.predictor import open_predictor
from coabench.prediction.progress import PredictionProgress
from coabench.registry.blame import contained
from coabench.registry.defaults import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coabench.prediction.objects import PictureLike
    from coabench.prediction.pictures import Picture

EVERY = 1.0
"""Seconds between two pictures of a film."""


class Model:
    """What `coabench.load` returns: ask it with `predict`.

    Attributes:
        notes: what the user should know, in sentences; `predict` adds what it passes over.
    """

    @contained()
    def __init__(
        self, choice: Choice, faces: FaceChoice, terminal: Callable[[], PredictionProgress] = PredictionProgress
    ) -> None:
        """Check everything and bring in the weights.

        Args:
            terminal: makes what ``progress=True`` reports to.

        Raises:
            UserError: something is unknown, missing, or does not go together.
        """
        self._predictor = open_predictor(choice, faces)
        self._predictor.load()
        self._faces, self._terminal = faces, terminal
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
        progress: bool | PredictionProgress = False,
    ) -> Predictions:
        """Return what is said about each face, in order; of a picture without any, and of a broken file, why not.

        Args:
            pictures: a path, a PIL image, a NumPy array (height, width, 3) of uint8 in RGB, or several of them; or a
                `datasets.Dataset`. Folders and patterns stand for their files.
            faces: ``all``, ``largest``, how many of the largest, or ``none`` for pictures that are faces already; None
                for what was chosen when the model was loaded.
            every: seconds between two pictures of a film; 0 for every frame.
            batch_size: how many faces are asked about at a time; no answer depends on it.
            progress: show progress on stderr or below a notebook's cell; or an object that is notified.

        Raises:
            UserError: something else than pictures, or a path that stands for nothing.
        """
        every = read_value(Annotated[float, at_least(0)], every, At("every", "correct it"))
        batch_size = read_value(Annotated[int, at_least(1)], batch_size, At("batch_size", "correct it"))
        choice = self._faces if faces is None else replace(self._faces, faces=str(faces))
        reporting = (self._terminal() if progress else PredictionProgress()) if isinstance(progress, bool) else progress
        for line in self.notes:
            reporting.note(line)

        def note(line: str) -> None:
            self.notes.append(line)
            reporting.note(line)

        found, predicted = checked(pictures, note), Predictions()
        numbers: deque[int] = deque()  # of what was read, and is not answered yet

        def numbered() -> Iterator[Picture]:
            for number, each in enumerate(found, 1):
                for picture in read([each], every, note):
                    numbers.append(number)
                    yield picture

        with reporting.start(len(found)):
            for said in self._predictor.choosing(choice).predict(numbered(), batch_size, thumbnails=True):
                predicted += said
                reporting.advance(numbers.popleft(), said)
        for line in self._predictor.notes:
            if line not in self.notes:
                note(line)
        return predicted

    def __repr__(self) -> str:
        return f"<Model {self._title}>"
