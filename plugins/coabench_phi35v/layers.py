"""What both towers are built from: attention, and layers whose activations may be computed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Attention = Literal["sdpa", "eager"]
"""How attention is computed: fused, or step by step as in the published run."""


@dataclass(frozen=True)
class Span:
    """Sequences of one width that stand one after the other in a row of tokens, and each of which reads itself alone.

    Attributes:
        count: how many.
        width: tokens of each.
        mask: (count, 1, width, width); None where every token sees those before it.
    """

    count: int
    width: int
    mask: Tensor | None


Mask = Tensor | Sequence[Span]
"""What each query may see: the mask of rows, or the sequences that a single row is made of."""


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, how: Attention, causal: bool = False
) -> Tensor:
    """Return what each query reads, softmax(q kᵀ / √size + mask) v, with the heads side by side.

    Args:
        queries: (rows, width, heads, head size).
        keys, values: (rows, heads or a divisor of them, any, head size).
        mask: added to the products, (rows, 1, width, any): 0 or minus infinity.
        causal: every token sees those before it, and the mask is None.

    Returns:
        (rows, width, heads x head size).
    """
    queries = queries.transpose(1, 2)
    if (groups := queries.shape[1] // keys.shape[1]) > 1:
        keys, values = keys.repeat_interleave(groups, dim=1), values.repeat_interleave(groups, dim=1)
    if how == "sdpa":
        if queries.requires_grad and queries.device.type == "cpu":  # pays the copies back seven times: layer by layer
            queries, keys, values = (each.contiguous() for each in (queries, keys, values))
        read = nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)
    else:
        products = torch.matmul(queries, keys.transpose(2, 3)) * queries.shape[-1] ** -0.5
        if causal:
            products = products + products.new_full(products.shape[2:], float("-inf")).triu_(1)
        if mask is not None:
            products = products + mask
        weights = nn.functional.softmax(products, dim=-1, dtype=torch.float32).to(queries.dtype)
        read = torch.matmul(weights, values)
    return read.transpose(1, 2).flatten(2)


def attend_apart(queries: Tensor, keys: Tensor, values: Tensor, spans: Sequence[Span], how: Attention) -> Tensor:
    """Return what each query of one row reads in its own sequence; all are (1, width, heads, head size)."""
    sizes = [span.count * span.width for span in spans]
    reads = []
    for span, *own in zip(spans, *(torch.split(each[0], sizes) for each in (queries, keys, values)), strict=True):
        q, k, v = (each.unflatten(0, (span.count, span.width)) for each in own)
        read = attend(q, k.transpose(1, 2), v.transpose(1, 2), span.mask, how, causal=span.mask is None)
        reads.append(read.flatten(0, 1))
    return torch.cat(reads)[None]


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
