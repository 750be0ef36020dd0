"""Ends a training that does worse than its rivals; see `coabench.training.asha`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from coabench.base.text import percent
from coabench.errors import CoabenchError
from coabench.runs.training_log import TrainingLog
from coabench.training.asha import Asha
from coabench.training.trainer import evaluations


class Halving(TrainerCallback):
    """Compares a training at every rung with those that have reached it; their logs say how they did there.

    Attributes:
        stopped: at which rung it was stopped, and why, for the manifest; None where it was not.
        reason: the same in words.
    """

    def __init__(self, asha: Asha, rungs: Sequence[int], rivals: Sequence[Path]) -> None:
        """Compare at some *rungs*.

        Args:
            rungs: evaluations, counted from 1.
            rivals: the folders of the other trainings.
        """
        self._asha, self._rungs, self._rivals = asha, rungs, rivals
        self.stopped: dict[str, Any] | None = None
        self.reason = ""

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop at a rung where the dev UAR is too low; the step that ends the training is none."""
        scores = [entry["eval_uar"] for entry in evaluations(state)]
        if len(scores) not in self._rungs or state.global_step >= state.max_steps:
            return
        others = list(self._others(len(scores)))
        needed = self._asha.needed(others)
        if scores[-1] >= needed:
            return
        control.should_training_stop = True
        self.stopped = {"evaluation": len(scores), "step": state.global_step, "uar": scores[-1], "needed": needed,
                        "rivals": len(others), "reduction_factor": self._asha.reduction_factor}  # fmt: skip
        self.reason = (
            f"hopeless after evaluation {len(scores)}, step {state.global_step}: a dev UAR of "
            f"{percent(scores[-1])} is not in the best 1/{self._asha.reduction_factor} of those before it "
            f"({percent(needed)} or more)"
        )

    def _others(self, rung: int) -> Iterator[float]:
        """Yield the dev UARs of those that have reached a rung."""
        for folder in self._rivals:
            try:
                scored = [entry for entry in TrainingLog.read(folder).evaluations if entry.step]
            except CoabenchError:  # what cannot be read is nothing to compare with
                continue
            if len(scored) >= rung:
                yield scored[rung - 1].numbers["uar"]
