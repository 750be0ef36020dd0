"""Tokens drawn at random on torch, each row by its own random number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from coabench.sampling import Draw


def draw_tokens(logits: Tensor, draws: Sequence[Draw], step: int) -> Tensor:
    """Draw a token of each row from softmax(logits / temperature), cut to the nucleus of its top-p.

    The token is the first, in the order of the vocabulary, at which the cumulative probability exceeds the row's random
    number (inversion of the distribution function). One number a row makes rows independent of each other, and logits
    that differ in their last bits give the same token but where the number falls between them.

    Args:
        logits: (rows, vocabulary).
        draws: of each row.
        step: which token of the answers it is, from 0.

    Returns:
        Token ids, (rows,); of a row that NaN or infinity was computed in, its place.
    """
    table = torch.tensor([(d.temperature, d.top_p, d.uniform(step)) for d in draws], dtype=torch.float64)
    temperature, top_p, numbers = table.to(logits.device)[:, :, None].unbind(dim=1)
    wide = logits.to(torch.float64)
    shares = ((wide - wide.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)
    if any(draw.top_p < 1 for draw in draws):
        shares = shares * _nucleus(shares, top_p)
    reached = shares.cumsum(dim=-1)
    tokens = torch.searchsorted(reached, numbers * reached[:, -1:], right=True)[:, 0]
    return torch.where(wide.amax(dim=-1).isfinite(), tokens, wide.argmax(dim=-1))


def _nucleus(shares: Tensor, top_p: Tensor) -> Tensor:
    """Return bool (rows, vocabulary): the fewest most probable tokens whose shares reach *top_p*, (rows, 1)."""
    ordered, order = shares.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = (before < top_p) | (top_p >= 1)
    return torch.zeros_like(kept).scatter(-1, order, kept)
