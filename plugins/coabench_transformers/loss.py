"""The loss of a training: that of every model is computed here, so that all weigh and average alike.

A model's own is the mean of a batch where the model takes no *num_items_in_batch* (Qwen2.5-VL), and none has weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor, nn


def weighing(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a forward pass of a model of transformers whose loss is `token_loss` wherever it is called with labels.

    The model has the labels, too: some attend in another way where there are any.
    """

    @wraps(forward)  # `generate` reads the parameters
    def weighed(
        *arguments: Any,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        weights: Tensor | None = None,
        **named: Any,
    ) -> Any:
        if labels is None:
            return forward(*arguments, **named)
        output = forward(*arguments, labels=labels, **named)
        output["loss"] = token_loss(output["logits"], labels, num_items_in_batch, weights)
        return output

    return weighed


def token_loss(
    logits: Tensor, labels: Tensor, items: Tensor | int | None = None, weights: Tensor | None = None
) -> Tensor:
    """Return the cross entropy of the tokens that are learnt, in nats, times their weights, summed, divided by *items*.

    Args:
        logits: float, (rows, length, vocabulary); those at a position predict the token after it.
        labels: long, (rows, length): the tokens at their own positions; -100 for those that are not learnt.
        items: the number of labels by default.
        weights: float32, (rows,): of each row's labels; 1 by default.
    """
    after = labels[:, 1:].to(logits.device)
    learnt = after != -100
    losses = nn.functional.cross_entropy(logits[:, :-1][learnt].float(), after[learnt], reduction="none")
    if weights is not None:
        losses = losses * weights.to(logits.device)[:, None].expand_as(after)[learnt]
    return losses.sum() / (learnt.sum() if items is None else items)
