"""An optimizer of transformers whose parameters have several learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any

import torch
from torch import nn

from coabench.errors import UserError

GROUPED_ITSELF = {"params", "model", "optimizer_dict"}
"""Arguments of optimizers that transformers hands its own groups, or the whole model (GaLore, APOLLO, LOMO)."""


def check_groups(kind: Any, settings: Mapping[str, Any], rate: float) -> None:
    """Check that an optimizer takes groups of parameters, each with a learning rate.

    Args:
        kind, settings: as transformers' ``Trainer.get_optimizer_cls_and_kwargs`` returns them.
        rate: the learning rate that it is made with.

    Raises:
        UserError: it does not.
    """
    grouped = isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and not GROUPED_ITSELF & {*settings}
    own = kind([nn.Parameter(torch.zeros(1))], **settings).param_groups[0].get("lr") if grouped else None
    if own is None or not isclose(own, rate, rel_tol=1e-6):
        raise UserError(
            "this optimizer has no learning rates by part, nor LoRA+",
            expected="one that takes groups of parameters: adamw_torch, sgd, adafactor …",
            found=getattr(kind, "__name__", str(kind)),
            remedy="leave out --part-lr and --lora-plus, or choose another --trainer optim",
        )


def group_by_rate(optimizer: torch.optim.Optimizer, rates: Mapping[nn.Parameter, float], common: float) -> None:
    """Split the groups of a new optimizer so that every parameter has its learning rate.

    The first group keeps the common one, which the log shows; schedulers change all of them alike.
    """
    groups = [*optimizer.param_groups]
    optimizer.param_groups.clear()
    for group in groups:
        by_rate: dict[float, list[nn.Parameter]] = {common: []}
        for parameter in group["params"]:
            by_rate.setdefault(rates[parameter], []).append(parameter)
        for rate, own in by_rate.items():
            optimizer.add_param_group({**group, "params": own, "lr": rate})
