"""What both towers are built from: attention, and layers whose activations may be computed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Attention = Literal["sdpa", "eager"]
"""How attention is computed: fused, or step by step as in the published run."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, how: Attention) -> Tensor:
    """Return what each query reads, softmax(q kᵀ / √size + mask) v, with the heads side by side.

    Args:
        queries: (rows, width, heads, head size).
        keys, values: (rows, heads or a divisor of them, any, head size).
        mask: added to the products, (rows, 1, width, any): 0 or minus infinity.

    Returns:
        (rows, width, heads x head size).
    """
    queries = queries.transpose(1, 2)
    if (groups := queries.shape[1] // keys.shape[1]) > 1:
        keys, values = keys.repeat_interleave(groups, dim=1), values.repeat_interleave(groups, dim=1)
    if how == "sdpa":
        read = nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    else:
        products = torch.matmul(queries, keys.transpose(2, 3)) * queries.shape[-1] ** -0.5
        if mask is not None:
            products = products + mask
        weights = nn.functional.softmax(products, dim=-1, dtype=torch.float32).to(queries.dtype)
        read = torch.matmul(weights, values)
    return read.transpose(1, 2).flatten(2)


def embedding(count: int, width: int) -> nn.Embedding:
    """Return an embedding without values: to draw them where they have no memory takes torch 1.7 s of imports."""
    made: nn.Embedding = nn.Embedding.from_pretrained(torch.empty(count, width), freeze=False)  # type: ignore[no-untyped-call]
    return made


class Layer(nn.Module):
    """A layer of a tower.

    Attributes:
        recompute: calls the layer so that its activations are computed again in the backward pass instead of kept;
            None to keep them.
    """

    recompute: Callable[..., Any] | None = None

    def run(self, *arguments: Any) -> Tensor:
        """Return what the layer makes of its *arguments*, hooks included."""
        made: Tensor = self.recompute(self, *arguments) if self.recompute else self(*arguments)
        return made
