"""A linear layer whose weight is of 8-bit integers, one scale for each row; activations are not quantised."""

from __future__ import annotations

from typing import Any, Self

import torch
from bitsandbytes.nn import Linear8bitLt
from torch import Tensor, nn


class Int8Linear(Linear8bitLt):  # type: ignore[misc]  # PEFT knows it by its base
    """The weights of LLM.int8(), multiplied in the precision of what they are multiplied with."""

    @classmethod
    def like(cls, layer: Any) -> Self:
        """Return one with the weight and the bias of a layer of bitsandbytes, not copied."""
        with torch.device("meta"):
            made = cls(layer.in_features, layer.out_features, bias=False, has_fp16_weights=False)
        made.weight, made.bias = layer.weight, layer.bias
        made.train(layer.training)
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b, in the precision of x."""
        product: Tensor = _Product.apply(x, self.weight.data, self.weight.SCB)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(product.dtype)


class _Product(torch.autograd.Function):
    """x Wᵀ; what is kept for the gradient is W in 8 bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(weight, scale)
        return nn.functional.linear(x, _dequantised(weight, scale, x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        [gradient] = gradients
        weight, scale = ctx.saved_tensors
        return gradient @ _dequantised(weight, scale, gradient.dtype), None, None


def _dequantised(weight: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weight as it was, up to rounding; the largest of a row is 127."""
    return weight.to(dtype).mul_((scale / 127).to(dtype)[:, None])
