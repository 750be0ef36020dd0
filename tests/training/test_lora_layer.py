"""LoRA's layer of one step: PEFT's values and gradients, and a dropout that drops what it should."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from coabench.support.linear import OneDnn
from coabench.training import lora_layer
from coabench.training.lora_layer import PlainLora, keep, kept_share, speed_up


class Layers(nn.Module):
    """Two linear layers: only the second one needs a gradient of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.second(self.first(x).tanh())
        return made


def pair(dropout: float = 0.0, **more: Any) -> tuple[nn.Module, nn.Module]:
    """Return a model in PEFT's layers, and the same in ours."""
    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=6, lora_dropout=dropout, target_modules=["first", "second"], **more)
    theirs: Any = get_peft_model(Layers(), config)  # type: ignore[arg-type]
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    ours = deepcopy(theirs)
    speed_up(ours)
    return theirs, ours


def learnt(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the output and all gradients."""
    made = model(x)
    made.square().sum().backward()
    return [made.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


def ours_alone(model: nn.Module) -> int:
    return sum(type(module) is PlainLora for module in model.modules())


@pytest.mark.parametrize("on_amd", [False, True])
def test_values_and_gradients_are_pefts(on_amd: bool) -> None:
    theirs, ours = pair()
    x = torch.randn(2, 5, 12)
    expected = learnt(theirs, x)
    if on_amd:
        with OneDnn():
            found = learnt(ours, x)
    else:
        found = learnt(ours, x)
    assert (ours_alone(ours), ours_alone(theirs)) == (2, 0)
    assert len(expected) == len(found) == 5
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_dropout_drops_the_same_forwards_and_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """PEFT's layer with the same mask, in place of its own."""
    theirs, ours = pair(dropout=0.25)
    masks: list[Tensor] = []

    def kept(shape: torch.Size, chance: float) -> Tensor:
        masks.append(keep(shape, chance))
        return masks[-1]

    monkeypatch.setattr(lora_layer, "keep", kept)
    x = torch.randn(2, 50, 12)
    found = learnt(ours.train(), x)
    again = iter(masks)
    for module in theirs.modules():
        if isinstance(module, nn.Dropout):
            module.forward = lambda values: values * next(again) / 0.75  # type: ignore[method-assign]
    for one, other in zip(learnt(theirs.train(), x), found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert len(masks) == 2


def test_dropout_has_its_chance_follows_the_seed_and_is_none_where_nothing_is_learnt() -> None:
    torch.manual_seed(5)
    first, second = keep(torch.Size([400, 401]), 0.05), keep(torch.Size([400, 401]), 0.05)
    torch.manual_seed(5)
    assert torch.equal(first, keep(torch.Size([400, 401]), 0.05))
    assert not torch.equal(first, second)
    assert float(first.float().mean()) == pytest.approx(0.95, abs=0.003)  # six standard deviations
    assert kept_share(0.05) == pytest.approx(0.95, abs=1 / 2**16)
    _, ours = pair(dropout=0.5)
    x = torch.randn(3, 12)
    assert torch.equal(ours.eval()(x), ours(x))


def test_what_is_not_plain_is_left_to_peft() -> None:
    _, varied = pair(use_dora=True)
    assert ours_alone(varied) == 0
    theirs, ours = pair()
    x = torch.randn(3, 12)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(x), theirs(x))
    with ours.disable_adapter(), theirs.disable_adapter():  # type: ignore[operator]
        assert torch.equal(ours(x), theirs(x))
    ours.merge_adapter()  # type: ignore[operator]
    theirs.merge_adapter()  # type: ignore[operator]
    assert torch.equal(ours(x), theirs(x))
