"""What makes up for answers that are rarer than others: weights of their losses, or how often they are seen.

Each question is balanced by itself: the classes are its right answers, counted over what is learnt from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coabench.dialogue import Turn
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.training.data import Item, kind_of


@dataclass(frozen=True)
class ClassBalance:
    """How many examples each answer of a question has, and what one counts.

    Attributes:
        sampled: whether the weight says how often an example is seen, rather than what its loss is multiplied by.
        counts: question, as in `kind_of` -> answer -> examples.
        weights: question -> answer -> weight, whose mean over the examples is 1.
    """

    sampled: bool
    counts: Mapping[str, Mapping[str, int]]
    weights: Mapping[str, Mapping[str, float]]

    def loss_weight(self, item: Item, turn: Turn) -> float:
        """Return what the loss of a turn is multiplied by."""
        return 1.0 if self.sampled else self._weight(item, turn)

    def shares(self, items: Sequence[Item]) -> list[float] | None:
        """Return how often each item is seen in an epoch, on average; None where all are seen once.

        The questions about an image are seen together: the mean of their weights counts. An epoch has as many questions
        as without, on average.
        """
        if not self.sampled:
            return None
        means = [sum(self._weight(item, turn) for turn in item.turns) / len(item.turns) for item in items]
        questions = sum(len(item.turns) for item in items)
        seen = sum(mean * len(item.turns) for mean, item in zip(means, items, strict=True))
        return [mean * questions / seen for mean in means]

    def to_json(self) -> dict[str, Any]:
        """Return it as the manifest has it: question -> answer -> count and weight."""
        return {
            kind: {answer: {"count": n, "weight": round(self.weights[kind][answer], 6)} for answer, n in own.items()}
            for kind, own in self.counts.items()
        }

    def _weight(self, item: Item, turn: Turn) -> float:
        return self.weights[kind_of(item, turn)][turn.answer.response]


def find_shares(
    items: Sequence[Item], balance: ClassBalance | None, weights: Mapping[str, float]
) -> list[float] | None:
    """Return how often each item is seen in an epoch, on average; None where all are seen once.

    Args:
        weights: data set -> how often its samples come, relative to those of the others.
    """
    shares = balance.shares(items) if balance else None
    if len({*weights.values()}) == 1:
        return shares
    raw = [share * weights[item.dataset] for share, item in zip(shares or [1.0] * len(items), items, strict=True)]
    questions = sum(len(item.turns) for item in items)
    seen = sum(share * len(item.turns) for share, item in zip(raw, items, strict=True))
    return [share * questions / seen for share in raw]


def find_balance(recipe: Recipe, items: Sequence[Item], weighs: bool) -> ClassBalance | None:
    """Return the balance that a recipe wants; None where it wants none.

    ``loss`` and ``sample`` weigh an answer by 1 / n, ``effective-number`` by (1 - beta) / (1 - beta^n), n being the
    number of its examples: Cui et al. 2019, "Class-Balanced Loss Based on Effective Number of Samples" (CVPR,
    arXiv 1901.05555), equation 2. Theirs add up to the number of classes; here their mean over the examples is 1, so
    that a question keeps its share of the loss. Their ratios are the same.

    Args:
        weighs: `Trainee.weighs`.

    Raises:
        UserError: the backbone cannot weigh losses, or there is nothing to balance.
    """
    if recipe.balance == "none":
        return None
    sampled = recipe.balance == "sample"
    if not sampled and not weighs:
        raise UserError(
            f"this backbone cannot weigh the loss of an answer, as --balance {recipe.balance} does",
            expected="a backbone whose Trainee.weighs is true",
            remedy="use --balance sample",
        )
    counts: dict[str, Counter[str]] = {}
    for item in items:
        for turn in item.turns:
            counts.setdefault(kind_of(item, turn), Counter())[turn.answer.response] += 1
    if all(len(own) == 1 for own in counts.values()):
        raise UserError(
            f"--balance {recipe.balance} has nothing to balance",
            expected="a question with several answers to learn",
            found=", ".join(f"{kind}: {answer}" for kind, own in sorted(counts.items()) for answer in own),
            remedy="leave out --balance, or add a data set",
        )
    beta = recipe.beta if recipe.balance == "effective-number" else None
    ordered = {kind: dict(sorted(own.items())) for kind, own in sorted(counts.items())}
    return ClassBalance(sampled, ordered, {kind: _weights(own, beta) for kind, own in ordered.items()})


def _weights(counts: Mapping[str, int], beta: float | None) -> dict[str, float]:
    raw = {answer: 1 / n if beta is None else (1 - beta) / (1 - beta**n) for answer, n in counts.items()}
    mean = sum(raw[answer] * n for answer, n in counts.items()) / sum(counts.values())
    return {answer: weight / mean for answer, weight in raw.items()}
