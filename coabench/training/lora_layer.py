"""A linear layer with its LoRA as one step of the backward pass, and dropout that costs little: for float32 on a CPU.

PEFT writes it as six operations, each of which reads and writes activations as large as the layer's own, and draws its
dropout number by number: 43 ms for 1,154 × 4,096 where the layer's matrix product takes 59 ms (benchmarks/README.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

LEVELS = 2**16
"""Chances of dropout are rounded to a multiple of 1 / 65,536."""


def speed_up(model: nn.Module) -> None:
    """Have the plain LoRAs of PEFT in *model* compute by `PlainLora`; parameters and names stay as they are."""
    for module in model.modules():
        if type(module) is Linear and type(module.base_layer) is nn.Linear and not module.lora_variant:
            module.__class__ = PlainLora


class PlainLora(Linear):
    """PEFT's LoRA beside a linear layer: x Wᵀ + b + alpha / rank · dropout(x) Aᵀ Bᵀ."""

    def forward(self, x: Tensor, *arguments: Any, **named: Any) -> Tensor:
        """Return what PEFT's layer returns, up to rounding and which values are dropped."""
        name = None if arguments or named else self._plain_adapter(x)
        if name is None:
            as_ever: Tensor = super().forward(x, *arguments, **named)
            return as_ever
        base, chance = self.get_base_layer(), getattr(self.lora_dropout[name], "p", 0.0)
        kept = keep(x.shape, chance) if self.training and chance else None
        scaling: float = self.scaling[name] / (1 if kept is None else kept_share(chance))
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        added = (down, up, scaling, kept)
        made: Tensor = _Adapted.apply(x, base.weight, base.bias, *added)  # type: ignore[no-untyped-call]
        return made

    def _plain_adapter(self, x: Tensor) -> str | None:
        """Return the adapter where it is the only one and all is float32 on a CPU; None where PEFT computes."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return None
        name: str = self.active_adapters[0]
        weight = self.get_base_layer().weight
        if name not in self.lora_A or name in self.lora_variant or self.lora_bias[name] or weight.requires_grad:
            return None
        kinds = {x.dtype, weight.dtype, self.lora_A[name].weight.dtype}
        fits = x.device.type == "cpu" and kinds == {torch.float32} and not torch.is_autocast_enabled("cpu")
        return name if fits else None


def kept_share(chance: float) -> float:
    """Return the share of values that a dropout of this chance keeps."""
    return 1 - round(chance * LEVELS) / LEVELS


def keep(shape: torch.Size, chance: float) -> Tensor:
    """Draw which values stay: bool, of this shape, from torch's random numbers.

    torch seeds a generator that draws four values from 64 bits: fifteen times as fast as its own dropout.
    """
    count = shape.numel()
    seed = int(torch.randint(2**63 - 1, ()))
    bits = np.random.SFC64(seed).random_raw(-(-count // 4)).view(np.uint16)[:count]
    return torch.from_numpy(bits >= round(chance * LEVELS)).view(shape)


class _Adapted(torch.autograd.Function):
    """The arithmetic of `PlainLora`. *kept* says which values dropout keeps, None for all; the base has no gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scaling: float,
        kept: Tensor | None,
    ) -> Tensor:
        made = linear(x, weight, bias)
        inner = linear(x if kept is None else x * kept, down).flatten(0, -2)
        made.view(-1, made.shape[-1]).addmm_(inner, up.T, alpha=scaling)
        ctx.scaling = scaling
        ctx.save_for_backward(x, weight, down, up, inner, kept)
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, down, up, inner, kept = ctx.saved_tensors
        noise = None if kept is None else kept.to(x.dtype)
        outer = gradient.flatten(0, -2)
        by_inner = (outer @ up).mul_(ctx.scaling)
        by_up = (inner.T @ outer).mul_(ctx.scaling).T
        by_down = by_inner.T @ (x if noise is None else x * noise).flatten(0, -2)
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = linear(gradient, weight.T)
            flat = by_x.view(-1, by_x.shape[-1])
            if noise is None:
                flat.addmm_(by_inner, down)
            else:
                flat.addcmul_(by_inner @ down, noise.flatten(0, -2))
        return by_x, None, None, by_down, by_up, None, None
