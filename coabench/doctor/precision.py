"""What 8-bit arithmetic changes: the same samples, asked about with ``--dtype int8`` and in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from coabench.base.text import plural
from coabench.runs.record import turns_of

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    """How far answers are those of float32.

    Attributes:
        samples: how many were asked about.
        predictions: those with the same prediction.
        questions: questions that were asked in the same words, about the same sample, both times.
        labels: those of them whose answer was understood as the same label.
        mean, largest: the difference of a log-probability of an option of such a question, in nats; None where nothing
            was scored.
    """

    samples: int
    predictions: int
    questions: int
    labels: int
    mean: float | None
    largest: float | None

    @property
    def verdict(self) -> str:
        """The result in plain words."""
        apart = "" if self.mean is None else (
            f"; log-probabilities differ by {self.mean:.2g} on average, by {self.largest:.2g} at most"
        )  # fmt: skip
        return (
            f"Against float32: the same prediction for {self.predictions} of {plural(self.samples, 'sample')}, the "
            f"same label in {self.labels} of {plural(self.questions, 'question')} that were the same{apart}."
        )


def compare_precision(own: Sequence[Record], whole: Sequence[Record]) -> Agreement:
    """Compare the records of the same samples, in the same order, with those in float32."""
    pairs = list(zip(own, whole, strict=True))
    turns = [pair for records in pairs for pair in _same_questions(*records)]
    moved = [difference for pair in turns for difference in _apart(*pair)]
    return Agreement(
        samples=len(pairs),
        predictions=sum(a["prediction"] == b["prediction"] for a, b in pairs),
        questions=len(turns),
        labels=sum(a["label"] == b["label"] for a, b in turns),
        mean=mean(moved) if moved else None,
        largest=max(moved, default=None),
    )


def _same_questions(own: Record, whole: Record) -> Iterator[tuple[Record, Record]]:
    """Yield the turns with the same prompt: a question that follows another answer is another question."""
    pairs = zip(turns_of(own), turns_of(whole), strict=False)
    return ((a, b) for a, b in pairs if a["prompt"] == b["prompt"])


def _apart(first: Record, second: Record) -> list[float]:
    """Return how far the scores of each option are apart in two turns; none where they cannot be compared."""
    one, other = first["scores"], second["scores"]
    comparable = one and other and one.keys() == other.keys()
    return [abs(one[option] - other[option]) for option in one] if comparable else []
