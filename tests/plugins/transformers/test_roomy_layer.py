"""The layer with room for tokens to come holds what transformers' own layer holds."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from coabench_transformers.roomy_layer import ROOM, RoomyLayer
from transformers.cache_utils import DynamicLayer


@pytest.mark.parametrize("rows", [None, [2, 0]])
def test_it_grows_and_lets_rows_go_as_the_usual_layer_does(rows: list[int] | None) -> None:
    torch.manual_seed(0)
    usual = DynamicLayer()
    usual.update(torch.randn(3, 2, 5, 4), torch.randn(3, 2, 5, 4))
    first = usual.keys.clone()
    roomy, whole = RoomyLayer(usual, rows), usual.keys
    if rows:
        usual.batch_select_indices(torch.tensor(rows))
    for width in (7, 1, 1, ROOM, ROOM + 3, 1):
        new = torch.randn(len(usual.keys), 2, width, 4)
        for one, other in zip(roomy.update(new, -new), usual.update(new, -new), strict=True):
            assert torch.equal(one, other)
        assert roomy.get_seq_length() == usual.get_seq_length()
    for layer in (roomy, usual):
        layer.batch_select_indices(torch.tensor([1]))
    assert torch.equal(roomy.values, usual.values)
    assert torch.equal(whole, first)  # where it began is as it was
