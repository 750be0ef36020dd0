"""The Trainer of `--objective grpo`: every step's examples are dialogues that the model has just drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from coabench.base.processes import Meeting
from coabench.errors import JobError
from coabench.training.data import Item
from coabench.training.plan import Plan
from coabench.training.rollouts import Asked, Rollouts, average
from coabench.training.trainer import Pieces, TurnTrainer


class Images(Pieces):
    """The images of the schedule: what is learnt about them is drawn when their step comes."""

    def _example(self, item: Item, prepared: Any, turns: Sequence[int]) -> Any:
        return [Asked(item, prepared, copy) for copy in range(len(turns))]

    def collate(self, examples: Sequence[Any]) -> dict[str, Any]:
        """Return the images of a micro-batch under ``asked``, or ``error``."""
        error = next((each for each in examples if isinstance(each, JobError)), None)
        return {"error": error} if error else {"asked": [asked for example in examples for asked in example]}


class RewardTrainer(TurnTrainer):
    """A trainer whose schedule is one of images."""

    examples = Images

    def __init__(self, plan: Plan, *, model: nn.Module, **arguments: Any) -> None:
        self._rollouts = Rollouts(plan, model)
        super().__init__(plan, model=model, **arguments)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """Return the micro-batches of a step, made of dialogues that the model as it is has drawn, and the images."""
        model: Any = self.model
        model.eval()
        batches = [self._drawn(next(epoch_iterator)) for _ in range(num_batches)]
        return batches, self._schedule.batch_size

    def _drawn(self, images: dict[str, Any]) -> dict[str, Any]:
        if "error" in images:
            raise images["error"]
        asked: list[Asked] = images["asked"]
        dialogues = self._rollouts.turns(asked, self.state.global_step)
        trainee = self._plan.trainee
        return trainee.collate([trainee.encode(own.prepared, t) for own, t in zip(asked, dialogues, strict=True)])

    def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
        """Log what was measured of the dialogues beside the loss."""
        if "loss" in logs:
            logs |= average(Meeting(self._plan.world).gather(self._rollouts.measured()))
        super().log(logs, *arguments, **named)
