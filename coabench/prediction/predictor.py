"""Answers about the faces in pictures: a detector, a backbone and a strategy, made ready once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from coabench.base.vocabulary import ERROR
from coabench.inference.engine import Outcome
from coabench.live.asker import Asker, Choice, open_asker
from coabench.live.together import ask_together
from coabench.prediction.answer import NO_FACE, FacePrediction, answered
from coabench.prediction.faces import Cut, FaceChoice, FaceFinder, describe
from coabench.prediction.pictures import Picture
from coabench.registry.defaults import BATCH_SIZE
from coabench.registry.detectors import AUTO
from coabench.runs.identity import LiveIdentity
from coabench.support.thumbnails import thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

Small = Callable[["Image"], str | None]
"""Makes a thumbnail, or None where none is wanted."""
Looked = tuple[Picture, list[Cut], FacePrediction | None]
"""A picture, its faces, and what is said where it has none."""


class Predictor:
    """Answers about pictures. Made by `open_predictor`, which only checks; `load` brings in the weights.

    Attributes:
        identity: everything that can change an answer.
    """

    def __init__(self, asker: Asker, finder: FaceFinder, identity: LiveIdentity, notes: Iterable[str]) -> None:
        self._asker, self._finder = asker, finder
        self.identity, self._notes = identity, list(notes)

    @property
    def notes(self) -> list[str]:
        """What the user should know, in sentences; more may come with the weights, and with the pictures."""
        return [*self._notes, *self._asker.notes]

    def choosing(self, faces: FaceChoice) -> Predictor:
        """Return a predictor with the same weights and detector for another choice of faces."""
        return Predictor(self._asker, self._finder.choosing(faces), self.identity, self._notes)

    def load(self) -> None:
        """Bring in the weights, once. May raise `UserError`."""
        self._asker.load()

    def identity_with(self, every: float) -> dict[str, Any]:
        """Return the identity as JSON; of films, a picture *every* so many seconds is looked at."""
        described = self.identity.to_json()
        return {**described, "settings": {**described["settings"], "every": every}}

    def predict(
        self, pictures: Iterable[Picture], batch_size: int = BATCH_SIZE, thumbnails: bool = False
    ) -> Iterator[list[FacePrediction]]:
        """Yield what is said about each picture, in order: one item a face, or one that says why there is none.

        Args:
            batch_size: how many faces are asked about at a time; no answer depends on it.
            thumbnails: whether each item has one.
        """
        small = thumbnail if thumbnails else _none
        waiting: list[Looked] = []
        for picture in pictures:
            waiting.append(self._look(picture, small))
            if max(len(waiting), sum(len(cuts) for _, cuts, _ in waiting)) >= batch_size:
                yield from self._answer(waiting, batch_size, small)
                waiting = []
        yield from self._answer(waiting, batch_size, small)

    def _look(self, picture: Picture, small: Small) -> Looked:
        if picture.image is None:
            return picture, [], FacePrediction(picture, None, ERROR, picture.error, {})
        cuts, tiny = self._finder.cuts(picture.image)
        kept = replace(picture, image=None)  # the crops are what is asked about
        if cuts:
            return kept, cuts, None
        reason = f"no face found, but {tiny} smaller than --min-face" if tiny else "no face found"
        return kept, [], FacePrediction(kept, None, NO_FACE, reason, {}, thumbnail=small(picture.image))

    def _answer(self, looked: list[Looked], batch_size: int, small: Small) -> Iterator[list[FacePrediction]]:
        faces = [cut.image for _, cuts, _ in looked for cut in cuts]
        timed: list[tuple[Outcome, float | None]] = []
        for start in range(0, len(faces), batch_size):
            batch = faces[start : start + batch_size]
            started = time.perf_counter()
            outcomes = ask_together([self._asker], batch)[0].outcomes
            seconds = (time.perf_counter() - started) / len(batch) if self._asker.backbone.timed else None
            timed += [(outcome, seconds) for outcome in outcomes]
        answers = iter(timed)
        for picture, cuts, none in looked:
            if none is not None:
                yield [none]
                continue
            said = []
            for number, (cut, (outcome, seconds)) in enumerate(zip(cuts, answers, strict=False), 1):
                assert outcome.prediction is not None
                made: dict[str, Any] = {**answered(outcome.prediction), "turns": tuple(outcome.turns)}
                said.append(
                    FacePrediction(
                        picture, **made, face=number, faces=len(cuts), box=cut.box, score=cut.score, seconds=seconds,
                        thumbnail=small(cut.image),
                    )
                )  # fmt: skip
            yield said


def _none(image: Image) -> None:
    return


def open_predictor(choice: Choice, faces: FaceChoice) -> Predictor:
    """Check the choice of a backbone, a strategy and a detector, cheapest first, without loading weights.

    Raises:
        UserError: something is unknown, missing, or does not go together.
    """
    found = faces.find()
    asker = open_asker(choice, {} if found is None else {"detector": found.options})
    options = asker.options.get("detector")
    notes = []
    if found is not None:
        notes += [f"passed over {line}" for line in found.passed_over]
        chosen = " (the best that is available here)" if faces.detector == AUTO else ""
        notes.append(f"detector: {found.registration.name}{chosen}")
    detector, settings = describe(faces, found, options)
    identity = replace(asker.identity, detector=detector, settings=settings)
    return Predictor(asker, FaceFinder(faces, None if found is None else found.open(options)), identity, notes)
