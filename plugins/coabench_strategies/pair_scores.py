"""``pair-scores``: how probable each pair is, whichever of the two emotions is called the primary one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from coabench.dialogue import Prediction, Question, Task
from coabench.strategy import Conversation
from coabench_strategies.prompted import Prompted

LEAST = -1e9
"""A log-probability below any that counts: what a record keeps of minus infinity."""


class PairScores(Prompted):
    """Chain-of-Affect's two questions, scored; the second for every emotion that may be the primary one.

    With p(a) the probability that a is the primary emotion and p(b | a) that b comes next, given that a was named:

        P({a, b}) = p(a) · p(b | a) + p(b) · p(a | b)

    Both are the scores of the options offered, made to sum to 1 (Neutral among them: what goes to Neutral, or to a pair
    that is no label, is lost to the labels). The most probable pair of the label space is the prediction, the first
    listed on a tie. `chain-of-affect` follows the best first answer only; this is the sum over both ways to a pair.
    """

    name = "pair-scores"
    file = "chain-of-affect.corrected"
    like = "chain-of-affect"

    def converse(self, task: Task) -> Conversation:
        answer = yield _scored(self.prompts.question("primary", task), "first")
        first = log_shares(answer.scores or {})
        pairs = {label.name: label.pair for label in task.space.labels if label.pair}
        if not pairs:
            best = max(task.basic, key=lambda emotion: first[emotion])
            return Prediction(best) if best in task.labels else Prediction.invalid("no-class")
        second: dict[str, Mapping[str, float]] = {}
        for emotion in (e for e in task.basic if any(e in pair for pair in pairs.values())):
            question = self.prompts.question("secondary", task, {"primary": emotion})
            answer = yield _scored(question, f"second-{emotion}")
            second[emotion] = log_shares(answer.scores or {})
        log_p = {name: _log_sum(first[a] + second[a][b], first[b] + second[b][a]) for name, (a, b) in pairs.items()}
        best = max(log_p, key=lambda name: log_p[name])
        rounded = {name: round(value, 6) for name, value in log_p.items()}
        return Prediction(best, details={"confidence": round(math.exp(log_p[best]), 6), "log_probabilities": rounded})

    def right_answers(self, question: Question, task: Task, target: str) -> Sequence[str]:
        """Teach the first question alone: after the second ones, most of which suppose what is false, comes nothing.

        An adapter for this strategy is one trained for `chain-of-affect`.
        """
        return super().right_answers(question, task, target) if question.name == "first" else ()


def log_shares(scores: Mapping[str, float]) -> dict[str, float]:
    """Return natural-log scores shifted so that their probabilities sum to 1.

    They are taken to six places, as a record keeps them, so that a log read again leads to the same conclusion.
    """
    kept = {option: max(round(score, 6), LEAST) for option, score in scores.items()}
    most = max(kept.values())
    total = most + math.log(math.fsum(math.exp(score - most) for score in kept.values()))
    return {option: score - total for option, score in kept.items()}


def _log_sum(x: float, y: float) -> float:
    """Return log(eˣ + eʸ)."""
    return max(x, y) + math.log1p(math.exp(-abs(x - y)))


def _scored(question: Question, name: str) -> Question:
    return replace(question, decode="score", name=name)
