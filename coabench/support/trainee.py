"""What the trainees of several backbones compute alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def modules_by_part(
    model: nn.Module, parts: Mapping[str, str], wrappable: Callable[[str, nn.Module], bool]
) -> dict[str, tuple[str, ...]]:
    """Return the names of the modules that LoRA may wrap by part, as `Trainee.groups` has them.

    Args:
        parts: part -> what the names in it begin with; the first that fits counts.
        wrappable: whether LoRA may wrap a module, by its name and itself.
    """
    groups: dict[str, list[str]] = {part: [] for part in parts}
    for name, module in model.named_modules():
        if wrappable(name, module):
            groups[next(part for part, prefix in parts.items() if name.startswith(prefix))].append(name)
    return {part: tuple(names) for part, names in groups.items() if names}


def answer_loss(
    logits: Tensor, labels: Tensor, items: Tensor | int | None = None, weights: Tensor | None = None
) -> Tensor:
    """Return the cross entropy of the tokens to learn, in float32 and nats, summed and divided by their number.

    Args:
        logits: (tokens, vocabulary).
        labels: long, (tokens,): what is to come; -100 for nothing to learn.
        items: what the sum is divided by; the number of tokens to learn by default.
        weights: (tokens,), what the loss of each is multiplied by, below 0 too; 1 by default.
    """
    from torch.nn.functional import cross_entropy

    logits, labels = logits.float(), labels.to(logits.device)
    if weights is None:
        total = cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
    else:
        losses = cross_entropy(logits, labels, ignore_index=-100, reduction="none")
        total = (losses * weights.to(logits.device)).sum()
    return total / (labels.ne(-100).sum() if items is None else items)


def activation_bytes(values: int, width: int, checkpointing: bool) -> int:
    """Estimate the bytes of activations that a transformer keeps for the backward pass.

    34 bytes per token, layer and unit of hidden size at two bytes a number (Korthikanti et al. 2022, arXiv 2205.05198,
    section 4.1, attention matrix not kept), or the layer's input alone with checkpointing.

    Args:
        values: tokens × layers × hidden size.
        width: bytes a number.
        checkpointing: whether activations are computed again instead of kept.
    """
    return width * (1 if checkpointing else 17) * values
