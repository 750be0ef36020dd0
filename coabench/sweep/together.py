"""Evaluations that one worker carries out together, since they look at the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.evaluation.plan import Evaluation, check
from coabench.evaluation.progress import Silence
from coabench.evaluation.together import evaluate_together
from coabench.evaluation.warm import Warm
from coabench.runs.identity import RunIdentity
from coabench.runs.identity_part import Part
from coabench.sweep.kind import Work


@dataclass(frozen=True)
class Together:
    """Evaluations that differ in nothing but what they ask, each with its output."""

    evaluations: tuple[Evaluation, ...]

    @property
    def output(self) -> Path | None:
        """The folder of the first, by which people know them."""
        return self.evaluations[0].output

    @property
    def device(self) -> str:
        """The device of all."""
        return self.evaluations[0].device


@dataclass(frozen=True, kw_only=True)
class TogetherIdentity(Part):
    """Those of the runs, in order."""

    runs: tuple[RunIdentity, ...]


class EvaluationsTogether(Work):
    """Runs of ``coabench evaluate`` that share their looks."""

    request = Together
    name = "evaluate together"

    def read_identity(self, data: Mapping[str, Any]) -> TogetherIdentity:
        """See `Work.read_identity`."""
        return TogetherIdentity.read(data)

    def perform(self, request: Together, verify: Callable[[Part], None], warm: Warm) -> None:
        """See `Work.perform`."""
        plans = [check(evaluation) for evaluation in request.evaluations]
        verify(TogetherIdentity(runs=tuple(plan.identity for plan in plans)))
        evaluate_together(request.evaluations, warm.lend(plans, request.device), Silence())
