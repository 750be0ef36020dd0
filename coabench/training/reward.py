"""What a dialogue is rewarded with, and what it is worth beside the others about the same image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from statistics import fmean, pstdev

from coabench.decode import SAMPLE
from coabench.dialogue import Prediction, Task
from coabench.errors import UserError
from coabench.inference.engine import rehearse
from coabench.labels import LabelSpace
from coabench.recipe import GrpoLoss, Recipe
from coabench.strategy import Strategy

SMALLEST = 1e-4
"""Added to a deviation that is divided by, as in TRL."""


def reward(recipe: Recipe, space: LabelSpace, target: str, prediction: Prediction | None, tokens: int) -> float:
    """Return the reward of a dialogue about a sample labelled *target*.

    The right label has 1, a label that shares one of two emotions with it `Recipe.reward_partial`, another one 0, none
    at all `Recipe.reward_invalid`; each token costs `Recipe.reward_length`.

    Args:
        prediction: what the strategy concludes.
        tokens: of its answers.
    """
    label = prediction.label if prediction else None
    if label is None:
        own = recipe.reward_invalid
    elif label == target:
        own = 1.0
    else:
        shared = {*(space.pair_of(label) or [label])} & {*(space.pair_of(target) or [target])}
        own = recipe.reward_partial if shared else 0.0
    return own - recipe.reward_length * tokens


def advantages(rewards: Sequence[float], tokens: Sequence[int], loss: GrpoLoss) -> list[float]:
    """Return what the log-probability of each dialogue's answers is weighed with, of those about one image.

    ``grpo`` is (r - mean) / deviation, divided by the tokens of the answers: Shao et al. 2024, "DeepSeekMath"
    (arXiv 2402.03300), section 4.1. ``dr-grpo`` is r - mean: Liu et al. 2025, "Understanding R1-Zero-like training"
    (arXiv 2503.20783), section 3, who show that the divisors favour short right and long wrong answers, and images
    that are very easy or very hard. Both are 0 where all rewards are alike.

    Args:
        tokens: of each dialogue's answers.
    """
    mean = fmean(rewards)
    if loss == "dr-grpo":
        return [each - mean for each in rewards]
    deviation = pstdev(rewards, mean) + SMALLEST
    return [(each - mean) / deviation / max(1, n) for each, n in zip(rewards, tokens, strict=True)]


def check_rewards(recipe: Recipe, asked: Iterable[tuple[Strategy, Task]], can: Collection[str], weighs: bool) -> None:
    """Check that a backbone can be trained by the rewards of dialogues, where a recipe wants that.

    Args:
        asked: every strategy, with a task that it asks about.
        can: `Backbone.capabilities`.
        weighs: `Trainee.weighs`.

    Raises:
        UserError: it cannot draw, weigh or score answers, or a strategy has none that is drawn.
    """
    if not recipe.rewards:
        return
    needs = {"samples": "draw answers", **({"scores": "score them, as --kl above 0 needs"} if recipe.kl else {})}
    lacks = [what for capability, what in needs.items() if capability not in can]
    lacks += [] if weighs else ["weigh the loss of an answer"]
    if lacks:
        raise UserError(
            f"--objective grpo: this backbone cannot {' nor '.join(lacks)}",
            expected="a backbone that samples, scores and trains, and whose Trainee.weighs is true",
            remedy="use --objective supervised, or another --backbone",
        )
    for strategy, task in asked:
        if all(question.mode(SAMPLE.name) != SAMPLE for question in rehearse(strategy, task, SAMPLE.name)):
            raise UserError(
                f"--objective grpo: strategy {strategy.name!r} has its answers scored, and none drawn",
                expected="a strategy with answers in words",
                remedy="use --objective supervised, or another --strategy",
            )
