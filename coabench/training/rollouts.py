"""Dialogues drawn from the model in training, weighed so that their cross entropy has the gradient of their rewards.

With one optimizer step for each batch of dialogues, the ratio of new to old probabilities in the objective of Shao et
al. 2024 (arXiv 2402.03300, equation 3) is 1, nothing is clipped, and its gradient is that of the log-probabilities
times the advantages: a cross entropy with weights. So every backbone whose loss uses `Turn.weight` can be trained by
rewards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import exp
from statistics import fmean, pstdev
from typing import Any

from torch import nn

from coabench.decode import SAMPLE
from coabench.dialogue import Question, Turn
from coabench.errors import JobError
from coabench.inference.engine import Outcome, hold_dialogues
from coabench.labels import Choices
from coabench.registry.parsers import find_parser
from coabench.sampling import PLAIN, Sampling
from coabench.training.data import Item
from coabench.training.plan import Plan
from coabench.training.reward import advantages, reward

LARGEST = 50.0
"""Nats that two log-probabilities are apart at most where the divergence is estimated for the log."""


class StartWeights:
    """The trained parameters as they were when the training began."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._others = {name: own.detach().clone() for name, own in model.named_parameters() if own.requires_grad}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the model as it was."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, own in self._model.named_parameters():
            if name in self._others:
                self._others[name], own.data = own.data, self._others[name]


@dataclass(frozen=True)
class Asked:
    """An image that dialogues are drawn about.

    Attributes:
        prepared: as `Backbone.prepare` returns it.
        copy: which time it comes in one batch.
    """

    item: Item
    prepared: Any
    copy: int = 0


@dataclass
class Group:
    """The dialogues about one image, and what the log-probability of each is weighed with."""

    asked: Asked
    dialogues: list[Outcome]
    weights: list[float] = field(default_factory=list)

    @property
    def tokens(self) -> list[int]:
        """Tokens of each dialogue's answers."""
        return [sum(turn.answer.new_tokens for turn in drawn_turns(each)) for each in self.dialogues]

    def merged(self) -> list[Turn]:
        """Return every question and answer once, with the sum of the weights of its dialogues.

        Where nothing could be asked, it is the example of the item, with a weight of 0: a batch has all its images.
        """
        total: Counter[tuple[Question, str]] = Counter()
        turns: dict[tuple[Question, str], Turn] = {}
        for dialogue, weight in zip(self.dialogues, self.weights, strict=True):
            for turn in drawn_turns(dialogue):
                turns.setdefault(_key(turn), turn)
                total[_key(turn)] += weight  # type: ignore[assignment]  # a Counter adds any number
        merged = [replace(turn, weight=total[key] / len(self.dialogues)) for key, turn in turns.items()]
        return merged or [replace(turn, weight=0.0) for turn in self.asked.item.turns]


def drawn_turns(dialogue: Outcome) -> list[Turn]:
    """Return the turns whose answers were drawn: those that a strategy wants scored have no gradient of their own."""
    return [turn for turn in dialogue.turns if turn.answer.scores is None]


def _key(turn: Turn) -> tuple[Question, str]:
    return replace(turn.question, draw=PLAIN), turn.answer.response


class Rollouts:
    """Draws dialogues with the model as it is, and weighs their turns."""

    def __init__(self, plan: Plan, model: nn.Module) -> None:
        """Begin before the first step: what the model is now, answers are held to."""
        self._plan, self._recipe = plan, plan.recipe
        self._start = StartWeights(model) if plan.recipe.kl else None
        self._sampling = Sampling(temperature=1.0, top_p=1.0, samples=plan.recipe.group)
        self._measured: defaultdict[str, list[float]] = defaultdict(list)

    def turns(self, asked: Sequence[Asked], step: int) -> list[list[Turn]]:
        """Return the turns of the dialogues about each image, with the weights of their losses.

        What is drawn follows from the seed, the step, the sample and the strategy alone.
        """
        groups = self._drawn(asked, step)
        for group in groups:
            item, drawn = group.asked.item, zip(group.dialogues, group.tokens, strict=True)
            rewards = [reward(self._recipe, item.space, item.sample.target, each.prediction, n) for each, n in drawn]
            group.weights = advantages(rewards, group.tokens, self._recipe.grpo_loss)
            self._measured["reward"].append(fmean(rewards))
            self._measured["reward_std"].append(pstdev(rewards))
            self._measured["answer_tokens"].append(fmean(group.tokens))
        if self._start is not None:
            self._hold(groups, self._start)
        return [group.merged() for group in groups]

    def measured(self) -> dict[str, list[float]]:
        """Return what was measured of each image since the last call."""
        measured, self._measured = dict(self._measured), defaultdict(list)
        return measured

    def _drawn(self, asked: Sequence[Asked], step: int) -> list[Group]:
        groups: dict[int, Group] = {}
        for strategy in self._plan.strategies:
            own = [index for index, each in enumerate(asked) if each.item.strategy is strategy]
            rows = [(index, path) for index in own for path in range(self._recipe.group)]
            if not rows:
                continue

            def draw(row: int, turn: int, rows: Sequence[tuple[int, int]] = rows, name: str = strategy.name) -> Any:
                index, path = rows[row]
                key = f"{step}:{asked[index].copy}:{name}:{asked[index].item.sample.id}"
                return self._sampling.draw(self._plan.schedule.seed, key, path, turn)

            viewing = self._plan.backbone.look([asked[index].prepared for index, _ in rows])
            tasks = [asked[index].item.task for index, _ in rows]
            parser = find_parser(strategy.parser)
            dialogues = hold_dialogues(viewing, strategy, tasks, SAMPLE.name, draw=draw, parser=parser)
            for (index, _), dialogue in zip(rows, dialogues, strict=True):
                groups.setdefault(index, Group(asked[index], [])).dialogues.append(dialogue)
        return [groups[index] for index in range(len(asked))]

    def _hold(self, groups: Sequence[Group], start: StartWeights) -> None:
        """Take the gradient of the Kullback-Leibler divergence from the start off the weights.

        That of E log(p / p_start) under the model itself is E [log(p / p_start) ∇ log p] (its score function's mean is
        0), so each dialogue's log-ratio is its weight. Shao et al. have 1 - p_start / p per token there, which is the
        same to first order; their estimate of the divergence, p_start / p - 1 - log(p_start / p), is what is logged.
        """
        now = self._log_probabilities(groups)
        with start.in_place():
            then = self._log_probabilities(groups)
        for group, new, old in zip(groups, now, then, strict=True):
            ratios = [sum(new[_key(t)] - old[_key(t)] for t in drawn_turns(each)) for each in group.dialogues]
            by_token = self._recipe.grpo_loss == "grpo"
            lengths = [max(1, n) if by_token else 1 for n in group.tokens]
            held = zip(group.weights, ratios, lengths, strict=True)
            group.weights = [weight - self._recipe.kl * ratio / length for weight, ratio, length in held]
            self._measured["kl"].append(fmean(exp(min(-r, LARGEST)) - 1 + r for r in ratios))

    def _log_probabilities(self, groups: Sequence[Group]) -> list[dict[tuple[Question, str], float]]:
        """Return the natural-log probability of every answer in some groups, given its question."""
        rows: list[tuple[int, Question, Choices]] = []
        for index, group in enumerate(groups):
            answers: dict[Question, dict[str, None]] = {}
            for question, response in (_key(turn) for each in group.dialogues for turn in drawn_turns(each)):
                answers.setdefault(question, {})[response] = None
            rows += [(index, question, Choices(own)) for question, own in answers.items()]
        viewing = self._plan.backbone.look([groups[index].asked.prepared for index, *_ in rows])
        scored = viewing.score([replace(question, options=responses) for _, question, responses in rows])
        found: list[dict[tuple[Question, str], float]] = [{} for _ in groups]
        for (index, question, _), answer in zip(rows, scored, strict=True):
            scores: Mapping[str, float] | None = getattr(answer, "scores", None)
            if scores is None:
                raise JobError("the backbone did not score its own answers", found=str(answer), remedy="pass --kl 0")
            found[index] |= {(question, response): score for response, score in scores.items()}
        return found


def average(parts: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Return the means of what several processes have measured."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    values = {name: [value for part in parts for value in part.get(name, ())] for name in names}
    return {name: fmean(own) for name, own in values.items() if own}
