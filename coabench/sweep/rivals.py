"""Which trainings of a sweep are compared while they run, where ``asha`` stops the hopeless ones early."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from coabench.errors import UserError
from coabench.runs.training_identity import TrainingIdentity
from coabench.sweep.planned import Planned
from coabench.sweep.sheet import Sheet
from coabench.sweep.trainings import StagedIdentity


def with_rivals(sheet: Sheet, runs: Sequence[Planned]) -> list[Planned]:
    """Return the trainings, each with the rule of the sheet and with those that it is compared with.

    Raises:
        UserError: they cannot be compared.
    """
    if sheet.asha is None:
        return list(runs)
    if any(run.request.stages for run in runs):
        raise _wrong(sheet, "trainings in stages cannot be stopped early", "trainings without 'stages'")
    counts = sorted({run.identity.recipe["evaluations"] for run in runs})
    if len(counts) > 1:
        raise _wrong(sheet, "asha compares trainings after the same evaluation", "the same 'evaluations' for all",
                     ", ".join(map(str, counts)))  # fmt: skip
    if not all(run.identity.recipe["dev"] for run in runs):
        raise _wrong(sheet, "asha compares dev UARs", "a development part for all", "dev: 0")
    if not sheet.asha.rungs(counts[0]):
        raise _wrong(sheet, "asha would stop no training", f"a 'grace_period' below the {counts[0]} 'evaluations'",
                     f"grace_period: {sheet.asha.grace_period}")  # fmt: skip
    judged = [judged_by(run.identity) for run in runs]
    return [
        replace(run, request=replace(run.request, asha=sheet.asha, rivals=tuple(
            other.directory for other, theirs in zip(runs, judged, strict=True) if other is not run and theirs == own
        )))
        for run, own in zip(runs, judged, strict=True)
    ]  # fmt: skip


def judged_by(training: TrainingIdentity | StagedIdentity) -> str:
    """Return what trainings have in common whose dev UARs can be compared: data, fold, size of the dev part, questions.

    The development part of another seed has other images; it is as large, and as representative. Of stages the
    last counts.
    """
    identity = training.stages[-1] if isinstance(training, StagedIdentity) else training
    data = [replace(part, weight=None).to_json() for part in identity.data]
    return json.dumps([data, [strategy.sha256 for strategy in identity.strategies]], sort_keys=True)


def _wrong(sheet: Sheet, problem: str, expected: str, found: str | None = None) -> UserError:
    return UserError(
        f"{sheet.path}: {problem}", expected=expected, found=found, remedy="correct the sheet, or leave out 'asha'"
    )
