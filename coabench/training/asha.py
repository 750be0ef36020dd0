"""Asynchronous successive halving (ASHA; Li et al. 2020, arXiv 1810.05934): which trainings are stopped early.

Rungs are evaluations of the development part. A training that reaches one continues if its dev UAR is among the best
1 / *reduction factor* of those that have reached it before. The rule, its words and where it interpolates are those of
Ray Tune's ``ASHAScheduler`` (its stopping variant), so that both decide alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from coabench.base.schema import at_least


@dataclass(frozen=True)
class Asha:
    """The rule.

    Attributes:
        grace_period: the evaluation that is the first rung; none is stopped before.
        reduction_factor: one in so many continues at a rung, and each rung is so many times as far as the one before.
    """

    grace_period: Annotated[int, at_least(1)] = 1
    reduction_factor: Annotated[int, at_least(2)] = 3

    def rungs(self, evaluations: int) -> tuple[int, ...]:
        """Return the evaluations, counted from 1, that are rungs: all before the last one, which ends the training."""
        rung, rungs = self.grace_period, []
        while rung < evaluations:
            rungs.append(rung)
            rung *= self.reduction_factor
        return tuple(rungs)

    def needed(self, others: Sequence[float]) -> float:
        """Return the dev UAR that a training needs at a rung.

        Args:
            others: those of the trainings that have reached it, stopped or not.
        """
        return float(np.percentile(others, 100 * (1 - 1 / self.reduction_factor))) if others else 0.0
