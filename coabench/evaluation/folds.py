"""All folds of a split: each evaluated with what was trained without it, or one run where nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import FOLD, Evaluation, Plan, check
from coabench.evaluation.progress import Progress
from coabench.registry.blame import contained
from coabench.runs.folds import count_folds, cut
from coabench.runs.result import FinishedRun


@dataclass(frozen=True)
class FoldedRuns:
    """The runs of all folds.

    Attributes:
        runs: one for each fold, or a single one on the whole split.
        numbers: the id of a sample -> its fold, from 1 on; empty where each fold has a run.
    """

    runs: Sequence[FinishedRun]
    numbers: Mapping[str, int]


@contained()
def evaluate_folds(request: Evaluation, folds: str, progress: Progress | None = None) -> FoldedRuns:
    """Evaluate all folds, or resume.

    With ``{fold}`` in the adapter or the model there is a run for each fold, in a folder ``fold-K`` of the output, if
    one is named; all of them are checked before the first begins. Without it the same model answers in every fold: one
    run on the whole split is all folds.

    Args:
        folds: how many, or ``subjects`` for one for each person.

    Raises:
        UserError: bad input; nothing was written.
        JobError: a run could not be finished; what is recorded is safe.
    """
    if request.fold is not None:
        raise UserError("--fold is one fold, --folds all of them", remedy="leave out one of the two")
    count = count_folds(folds)
    first = check(_on_fold(request, 1, folds))
    found = first.identity.dataset
    assert found.fold is not None
    of = found.fold.of
    if not _trained(request):
        split = first.dataset.samples(found.split)
        numbers = cut(split, count, request.fold_seed or 0, found.name).tolist()
        run = evaluate(replace(request, split=found.split, fold_seed=None), progress)
        return FoldedRuns([run], {sample.id: number for sample, number in zip(split, numbers, strict=True)})
    requests = [_on_fold(request, number, folds) for number in range(1, of + 1)]
    _check_alike([first, *map(check, requests[1:])])
    return FoldedRuns([evaluate(each, progress) for each in requests], {})


def _on_fold(request: Evaluation, number: int, folds: str) -> Evaluation:
    """Return the request for one of the folds."""
    output = request.output and Path(request.output, f"fold-{number}")
    return replace(request, fold=f"{number}/{folds}", output=output)


def _check_alike(plans: Sequence[Plan]) -> None:
    """Refuse folds that differ in more than what was held out: nobody could say what their figures are of."""
    a, *others = (plan.identity.recipe(plan.training, ("fold",)) for plan in plans)
    for number, b in enumerate(others, start=2):
        if a != b:
            adapters = [plans[i].identity.backbone.adapter or plans[i].identity.backbone.model for i in (0, number - 1)]
            raise UserError(
                f"what was trained for fold 1 and for fold {number} differs in more than the fold",
                expected="trainings alike in all but --fold, as their training.json says",
                found=", ".join(map(str, adapters)),
                remedy="train them with the same options: coabench train --fold K/N",
            )


def _trained(request: Evaluation) -> bool:
    return FOLD in (request.adapter or "") or (isinstance(request.backbone, str) and FOLD in request.backbone)
