"""Tokens drawn on torch come from the distribution that is asked for, each row for itself."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from scipy import stats
from support.drawn_by_hand import shares_by_hand, token_by_hand

from coabench.sampling import Draw
from coabench.support.sampling import draw_tokens

LOGITS = [2.0, 0.5, -1.0, 1.5, 0.5, -6.0, 1.0]
WAYS = [(1.0, 1.0), (0.7, 1.0), (2.5, 0.9), (0.7, 0.8), (1.0, 0.01)]


@pytest.mark.parametrize(("temperature", "top_p"), WAYS)
def test_tokens_come_as_often_as_the_distribution_says(temperature: float, top_p: float) -> None:
    """Chi-square against shares computed by hand; the seeds are fixed, so that the test is, too."""
    n = 6000
    draws = [Draw(temperature, top_p, seed) for seed in range(n)]
    drawn = Counter(draw_tokens(torch.tensor([LOGITS] * n), draws, 5).tolist())
    shares = shares_by_hand(LOGITS, temperature, top_p)
    likely = [token for token, share in enumerate(shares) if share]
    assert {*drawn} <= {*likely}  # what was cut never comes
    if len(likely) > 1:
        expected = [n * shares[token] for token in likely]
        assert stats.chisquare([drawn[token] for token in likely], expected).pvalue > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_row_is_drawn_by_its_own_number_whatever_stands_beside_it(dtype: torch.dtype) -> None:
    rows = torch.randn(64, 200, generator=torch.Generator().manual_seed(1)).mul(3).to(dtype)
    draws = [Draw(*WAYS[row % len(WAYS)], seed=row) for row in range(64)]
    together = draw_tokens(rows, draws, 2).tolist()
    assert together == [token_by_hand(rows[row].tolist(), draws[row], 2) for row in range(64)]
    assert together == [draw_tokens(rows[row : row + 1], [draws[row]], 2).item() for row in range(64)]
    assert together[::-1] == draw_tokens(rows.flip(0), draws[::-1], 2).tolist()
    assert together != draw_tokens(rows, draws, 3).tolist()


def test_what_is_left_out_is_never_drawn_and_cold_is_greedy() -> None:
    rows = torch.tensor([[-torch.inf, 1.0, -torch.inf, 0.0]] * 50)
    assert {*draw_tokens(rows, [Draw(seed=seed) for seed in range(50)], 0).tolist()} == {1, 3}
    cold = [Draw(1e-300, 1.0, seed) for seed in range(50)]
    assert {*draw_tokens(rows, cold, 0).tolist()} == {1}


@pytest.mark.parametrize("lost", [torch.nan, torch.inf])
def test_a_row_with_what_is_no_number_gives_its_place(lost: float) -> None:
    rows = torch.tensor([[0.0, 1.0, lost], [0.0, -torch.inf, -torch.inf]])
    assert draw_tokens(rows, [Draw(seed=1), Draw(seed=2)], 0).tolist() == [2, 0]
