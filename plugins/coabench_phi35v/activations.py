"""Activations of both towers. With gradients they keep their input and nothing else, and have two or three passes back.

On a CPU a pass over the activations of an MLP takes as long as a hundredth of its matrix products, and autograd, left
alone, makes five.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

SLOPE = 1.702
"""GELU as CLIP approximates it: x · sigmoid(1.702 x)."""


def quick_gelu(inner: Tensor) -> Tensor:
    """Return x · sigmoid(1.702 x)."""
    if torch.is_grad_enabled():
        made: Tensor = _QuickGelu.apply(inner)  # type: ignore[no-untyped-call]
        return made
    # Without gradients nothing else needs the gate: on a CPU new memory costs as much as the arithmetic.
    return (SLOPE * inner).sigmoid_().mul_(inner)


def swiglu(fused: Tensor) -> Tensor:
    """Return silu(gate) · input of both side by side, the gate first: (…, 2 n) -> (…, n)."""
    if torch.is_grad_enabled():
        made: Tensor = _SwiGlu.apply(fused)  # type: ignore[no-untyped-call]
        return made
    gate, inner = fused.chunk(2, dim=-1)
    return silu(gate) * inner


class _QuickGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inner: Tensor) -> Tensor:
        ctx.save_for_backward(inner)
        return (SLOPE * inner).sigmoid_().mul_(inner)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """It is silu(1.702 x) / 1.702."""
        (inner,) = ctx.saved_tensors
        made: Tensor = torch.ops.aten.silu_backward(gradient, SLOPE * inner)
        return made


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, fused: Tensor) -> Tensor:
        ctx.save_for_backward(fused)
        gate, inner = fused.chunk(2, dim=-1)
        return silu(gate).mul_(inner)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (fused,) = ctx.saved_tensors
        gate, inner = fused.chunk(2, dim=-1)
        made = torch.empty_like(fused)
        by_gate, by_inner = made.chunk(2, dim=-1)
        torch.mul(gradient, silu(gate), out=by_inner)
        torch.ops.aten.silu_backward(gradient * inner, gate, grad_input=by_gate)
        return made
