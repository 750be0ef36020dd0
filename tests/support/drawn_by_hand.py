"""The distribution that sampled tokens come from, computed token by token."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from coabench.sampling import Draw


def shares_by_hand(logits: Sequence[float], temperature: float, top_p: float) -> list[float]:
    """softmax(logits / temperature), cut to the fewest likeliest tokens that reach *top_p*, made to sum to 1."""
    weights = [exp((logit - max(logits)) / temperature) for logit in logits]
    likeliest = sorted(range(len(logits)), key=lambda token: -weights[token])
    kept: set[int] = set()
    for token in likeliest:
        if sum(weights[other] for other in kept) >= top_p * sum(weights):
            break
        kept.add(token)
    total = sum(weights[token] for token in kept)
    return [weight / total if token in kept else 0.0 for token, weight in enumerate(weights)]


def token_by_hand(logits: Sequence[float], draw: Draw, step: int) -> int:
    """The token under which the random number falls, when the tokens' shares are laid side by side."""
    left = draw.uniform(step)
    shares = shares_by_hand(logits, draw.temperature, draw.top_p)
    for token, share in enumerate(shares):
        left -= share
        if left < 0:
            return token
    raise AssertionError("the shares do not reach 1")
