"""How probable answers are about copies of an image: many copies, several questions, one look each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coabench.backbone import Backbone
from coabench.dialogue import Question
from coabench.errors import JobError, SampleError

if TYPE_CHECKING:
    from PIL.Image import Image

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question of a run and the answer that was given.

    Attributes:
        recorded: the scores in the log; None where the answer was in words.
    """

    question: Question
    answer: str
    recorded: Mapping[str, float] | None = None


def log_probability(scores: Mapping[str, float], answer: str) -> float:
    """Return ln p of an answer among the options, in nats: its score less the log of the summed exponentials of all."""
    values = np.array(list(scores.values()))
    largest = values.max()
    return float(scores[answer] - largest - np.log(np.exp(values - largest).sum()))


@dataclass(frozen=True)
class Scorer:
    """Asks questions about images.

    Attributes:
        examples: the images shown before each.
        looked: called with the number of images after each batch.
    """

    backbone: Backbone[Any]
    sample: str
    examples: Sequence[Image]
    batch_size: int
    looked: Callable[[int], None]

    def __call__(self, images: Sequence[Image], asked: Sequence[Asked]) -> Values:
        """Return the natural-log probability of every answer about every image, shape (questions, images).

        Raises:
            SampleError: an image cannot be asked about.
            JobError: a score is missing or no number.
        """
        found: list[list[float]] = [[] for _ in asked]
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            viewing = self.backbone.look([self.backbone.prepare([*self.examples, each], self.sample) for each in batch])
            for values, each in zip(found, asked, strict=True):
                for answer in viewing.ask([each.question] * len(batch), "score"):
                    if isinstance(answer, SampleError):
                        raise answer
                    if answer is None or answer.scores is None:
                        raise JobError(f"the backbone gave no scores for {each.question.name!r}")
                    values.append(log_probability(answer.scores, each.answer))
            self.looked(len(batch))
        result = np.array(found)
        if not np.isfinite(result).all():
            raise JobError(f"the backbone's scores about {self.sample} are no numbers", remedy="try --dtype float32")
        return result
