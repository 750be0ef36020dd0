"""What was said about a face: as an object, as a record for programs, as words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coabench.base.text import NOTHING, number
from coabench.base.vocabulary import ERROR, OK
from coabench.dialogue import Prediction, Turn
from coabench.metrics.calibration import confidence_of, probabilities
from coabench.prediction.pictures import Picture
from coabench.render.tables import Column, Section, render_fragment
from coabench.runs.record import describe_prediction, describe_turn

NO_FACE = "no-face"
"""The status of a picture in which no face was found."""

SHOWN = 200
"""How many rows of a table show their face: a page with more would be slow."""

REASONS = {
    "repeated": "the same emotion twice",
    "neutral-first": "Neutral mixes with no emotion",
    "neutral-second": "Neutral mixes with no emotion",
    "no-class": "no label mixes these two",
}


@dataclass(frozen=True, repr=False)
class FacePrediction:
    """What was said about a face, or why nothing was.

    Attributes:
        picture: where the face is.
        prediction: its label, status and reason; the status is ``no-face`` where none was found.
        turns: what was asked and answered, in order.
        face, faces: which of how many faces of the picture, from 1; 0 of 0 where there is none.
        box: left, top, right, bottom in pixels of the picture; None for the picture as it is.
        score: the detector's, within 0…1.
        seconds: the face's share of the time that its batch took to answer; None where that means nothing.
        thumbnail: the face, small, or the picture where it has none: a data URI, for a page; None where none was made.
    """

    picture: Picture
    label: str | None
    status: str
    reason: str | None
    details: Mapping[str, Any]
    turns: tuple[Turn, ...] = ()
    face: int = 0
    faces: int = 0
    box: tuple[int, int, int, int] | None = None
    score: float | None = None
    seconds: float | None = None
    thumbnail: str | None = field(default=None, compare=False)

    @property
    def confidence(self) -> float | None:
        """The model's confidence in its answers, within 0…1; None without ``--decode score``."""
        return confidence_of({"turns": [describe_turn(turn) for turn in self.turns], "details": self.details})

    @property
    def probabilities(self) -> dict[str, dict[str, float]]:
        """Question -> option -> its probability among the options, of questions that were scored."""
        return {
            turn.question.name: probabilities(turn.answer.scores)
            for turn in self.turns
            if turn.answer.scores is not None
        }

    @property
    def answers(self) -> dict[str, str | None]:
        """Question -> the label understood, None where the answer is none; the last where one was asked again."""
        return {turn.question.name: turn.answer.label for turn in self.turns}

    def to_json(self) -> dict[str, Any]:
        """Return the record, JSON-serialisable; see docs/guides/predict.md."""
        picture = self.picture
        prediction = {"prediction": self.label, "status": self.status, "reason": self.reason}
        return {
            "file": picture.file,
            "frame": picture.frame,
            "time": picture.time,
            "image_sha256": picture.sha256,
            "face": self.face,
            "faces": self.faces,
            "box": None if self.box is None else list(self.box),
            "score": self.score,
            **prediction,
            "confidence": _rounded(self.confidence),
            "probabilities": {
                name: {option: _rounded(p) for option, p in options.items()}
                for name, options in self.probabilities.items()
            },
            "turns": [describe_turn(turn) for turn in self.turns],
            "seconds": _rounded(self.seconds),
            **({"details": dict(self.details)} if self.details else {}),
            **({"image_notes": list(picture.notes)} if picture.notes else {}),
        }

    @property
    def words(self) -> str:
        """The answers to the single questions, or why there is no label, for people."""
        if self.status in (ERROR, NO_FACE):
            return str(self.reason)
        chances = self.probabilities
        said = []
        for name, label in self.answers.items():
            chance = chances.get(name, {}).get(label or "")
            said.append(f"{name} {label or 'no label'}" + ("" if chance is None else f" {chance:.2f}"))
        why = "" if self.status == OK else f" ({REASONS.get(self.reason or '', self.reason)})"
        return ", ".join(said) + why

    def __repr__(self) -> str:
        chances = self.probabilities
        said = [
            f"{name}={label!r}" + (f" {chances[name][label]:.2f}" if label and name in chances else "")
            for name, label in self.answers.items()
        ]
        reason = [f"reason={self.reason!r}"] if self.reason else []
        return f"Prediction({', '.join([repr(self.label), *said, *reason])})"

    def _repr_html_(self) -> str:
        return render_fragment([section([self])])


class Predictions(list[FacePrediction]):
    """What was said about the faces in some pictures; a notebook shows it as a table."""

    def _repr_html_(self) -> str:
        return render_fragment([section(self)])


def section(predictions: Sequence[FacePrediction]) -> Section:
    """Return predictions as a table for people: a row each, the first ones with the face."""
    rows = [
        {
            "face shown": one.thumbnail if position < SHOWN else None,
            "picture": one.picture.file or NOTHING,
            "frame": one.picture.frame,
            "face": f"{one.face} of {one.faces}" if one.faces else NOTHING,
            "label": one.label or NOTHING,
            "confidence": number(one.confidence),
            "words": one.words,
        }
        for position, one in enumerate(predictions)
    ]
    shown = [Column("", "face shown", pictures=True)] if any(one.thumbnail for one in predictions) else []
    frames = [Column("Frame", "frame", "right")] if any(one.picture.frame is not None for one in predictions) else []
    columns = [
        *shown,
        Column("Picture", "picture"),
        *frames,
        Column("Face", "face"),
        Column("Label", "label"),
        Column("Confidence", "confidence", "right"),
        Column("Answers", "words"),
    ]
    return Section(columns, rows)


def answered(prediction: Prediction) -> dict[str, Any]:
    """Return the fields of a `FacePrediction` that a strategy's conclusion fills."""
    described = describe_prediction(prediction)
    return {
        "label": described["prediction"],
        "status": described["status"],
        "reason": described["reason"],
        "details": described.get("details", {}),
    }


def explained(prediction: FacePrediction) -> list[str]:
    """Return every question, its raw answer and the probability of every option, in lines for people."""
    lines = []
    for turn in prediction.turns:
        lines.append(f"  {turn.question.name}: {turn.question.prompt!r}")
        lines.append(f"    answer {turn.answer.response!r}, understood as {turn.answer.label or NOTHING}")
        chances = probabilities(turn.answer.scores) if turn.answer.scores else {}
        lines += [f"    {number(p, 3)}  {option}" for option, p in sorted(chances.items(), key=lambda each: -each[1])]
    return lines


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
