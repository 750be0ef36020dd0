"""Checks of what training needs of a backbone: a module, its parts, and how turns become the module's input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from coabench.backbone import Trainee
from coabench.dialogue import Answer, Question, Turn
from coabench.testing.defects import backbones as defects
from coabench.testing.findings import Findings

TOLERANCE = 0.02
"""How far the loss of two samples together may lie from the sum of their losses, relative to it."""


def check_parts(findings: Findings, trainee: Any) -> None:
    """Note where the names that a trainee gives are not those of its module. Needs no weights."""
    if not isinstance(trainee, Trainee):
        findings.fail(defects.BAD_TRAINEE, f"trainee() returns {trainee!r}")
    modules = dict(trainee.module.named_modules())
    grouped = [name for names in trainee.groups.values() for name in names]
    unknown = [name for name in [*grouped, *trainee.unused] if name not in modules]
    findings.need(not unknown, defects.BAD_TRAINEE, f"no modules of these names: {', '.join(unknown[:5])}")
    findings.need(grouped, defects.BAD_TRAINEE, "groups name no module that a LoRA could wrap")
    prefixes = tuple(trainee.parts.values())
    unassigned = [name for name, _ in trainee.module.named_parameters() if not name.startswith(prefixes)]
    findings.need(not unassigned, defects.BAD_TRAINEE, f"parameters of no part: {', '.join(unassigned[:5])}")


def check_loss(findings: Findings, trainee: Trainee, prepared: Sequence[Any], question: Question) -> None:
    """Encode two samples with an answer each, and compare the loss of both with the sum of their losses."""
    turns = [Turn(question, Answer(option, label=option)) for option in question.options[:2]]
    examples = [
        findings.attempt(defects.BAD_TRAINEE, trainee.encode, sample, [turn])
        for sample, turn in zip(prepared, turns, strict=False)
    ]
    tokens = [getattr(example, "tokens", None) for example in examples]
    findings.need(
        all(isinstance(n, int) and n > 0 for n in tokens), defects.BAD_TRAINEE, f"tokens of the examples: {tokens}"
    )
    losses = [_loss(findings, trainee, part) for part in ([examples[0]], [examples[1]], examples)]
    findings.need(all(math.isfinite(loss) and loss > 0 for loss in losses), defects.LOSS, f"losses {losses}")
    together, separate = losses[2], losses[0] + losses[1]
    findings.need(
        math.isclose(together, separate, rel_tol=TOLERANCE),
        defects.LOSS,
        f"together {together:.4f}, one by one {separate:.4f}",
    )


def _loss(findings: Findings, trainee: Trainee, examples: Sequence[Any]) -> float:
    """Return the summed loss of some examples."""
    import torch

    batch = findings.attempt(defects.BAD_TRAINEE, trainee.collate, examples)
    labels = batch.get("labels") if isinstance(batch, Mapping) else None
    if not isinstance(labels, torch.Tensor):
        findings.fail(defects.BAD_TRAINEE, f"labels of a batch: {labels!r}")
    learnt = int((labels != -100).sum())
    findings.need(learnt, defects.BAD_TRAINEE, "no label is learnt: all are -100")
    module = trainee.module.eval()
    device = next(module.parameters()).device
    inputs = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    if getattr(module, "accepts_loss_kwargs", False):
        inputs["num_items_in_batch"] = 1
        learnt = 1
    with torch.no_grad():
        made = findings.attempt(defects.LOSS, lambda: module(**inputs)["loss"])
    return float(made) * learnt
