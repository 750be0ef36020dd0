"""``top-1`` and ``top-2-pair``: what the scores of the basic emotions say. How a classifier is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coabench.dialogue import Prediction, Question, Task
from coabench.errors import UserError
from coabench.strategy import Conversation, StrategyRequest
from coabench_strategies.prompted import Prompted


class Top(Prompted):
    """Asks Chain-of-Affect's first question once, scored."""

    file = "chain-of-affect.corrected"
    like = "chain-of-affect"

    def _question(self, task: Task) -> Question:
        return replace(self.prompts.question("primary", task), decode="score", name="scores")


class TopOne(Top):
    """The basic emotion with the best score is the label."""

    name = "top-1"

    def converse(self, task: Task) -> Conversation:
        if not any(emotion in task.labels for emotion in task.basic):
            raise UserError(
                f"strategy {self.name!r} answers with a basic emotion, which is never a label of {task.space.name!r}",
                expected="a data set with basic labels",
                remedy="take --strategy top-2-pair",
            )
        answer = yield self._question(task)
        return Prediction(answer.label) if answer.label in task.labels else Prediction.invalid("no-class")


class TopTwoPair(Top):
    """The two basic emotions with the best scores make the pair; Neutral does not count.

    ``plain`` takes the two as they come. ``known`` takes the pair of the label space with the greatest product of
    probabilities, the first listed on a tie: with it, every answer is a label.
    """

    def __init__(self, request: StrategyRequest) -> None:
        super().__init__(request)
        self.variant = request.variant or "plain"
        self.name = f"top-2-pair:{self.variant}"

    def converse(self, task: Task) -> Conversation:
        if not task.space.compound:
            raise UserError(
                f"strategy {self.name!r} answers with a pair of emotions, which is never a label of "
                f"{task.space.name!r}",
                expected="a data set with compound labels",
                remedy="take --strategy top-1",
            )
        answer = yield self._question(task)
        scores = answer.scores or {}
        first, second = _known(task, scores) if self.variant == "known" else _best(task, scores)
        return replace(task.combine(first, second), details={"pair": [first, second]})

    def identity(self) -> Mapping[str, Any]:
        return {**super().identity(), "variant": self.variant}


def _best(task: Task, scores: Mapping[str, float]) -> tuple[str, str]:
    felt = [emotion for emotion in scores if emotion != task.space.neutral]
    first, second, *_ = sorted(felt, key=lambda emotion: -scores[emotion])  # stable: the first listed, on a tie
    return first, second


def _known(task: Task, scores: Mapping[str, float]) -> tuple[str, str]:
    pairs = [label.pair for label in task.space.labels if label.pair]
    return max(pairs, key=lambda pair: scores[pair[0]] + scores[pair[1]])
