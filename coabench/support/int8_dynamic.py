"""Linear layers that multiply 8-bit integers on a CPU: ``--dtype int8``.

A weight is quantised once, with a scale for each of its rows; an input each time, with a scale for each token. Both are
absmax / 127, without offset, and products are summed exactly, in 32 bits: what else is in a batch changes nothing, to
the last bit. These are the vector-wise integers of LLM.int8() (arXiv 2208.07339, section 2.1), without its outliers.

oneDNN multiplies, a part of torch: ``onednn::qlinear_pointwise``, which models that torch has quantised call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from coabench.errors import UserError
from coabench.recipe import INT8, Load
from coabench.support.placement import cpu_flags

FAST = ("avx512_vnni", "avx_vnni", "amx_int8")
"""What a CPU needs one of. Without, sums of two products saturate in 16 bits."""
LARGEST = 127
SIGN = 128
"""The highest bit of a byte, which takes -127..127 to 1..255: oneDNN is fast with unsigned inputs only."""


def check_int8(device: torch.device, load: Load | None) -> None:
    """Refuse (`UserError`) ``--dtype int8`` where it cannot be computed, or beside ``--load``."""
    remedy = f"leave out --dtype {INT8}, or use --load 8bit, which computes in float32"
    if load is not None:
        raise UserError(
            f"--load {load} and --dtype {INT8} both quantise the weights",
            expected="one of the two",
            found=f"--load {load} --dtype {INT8}",
            remedy="leave one out",
        )
    if device.type != "cpu":
        raise UserError(f"--dtype {INT8} is for CPUs", expected="--device cpu", found=str(device), remedy=remedy)
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if cpu_flags().isdisjoint(FAST) or not there:
        raise UserError(
            f"this machine cannot compute --dtype {INT8}",
            expected=f"a CPU with {', '.join(FAST[:-1])} or {FAST[-1]}, and a torch with oneDNN",
            found="none of them" if there else "a torch without oneDNN",
            remedy=remedy,
        )


def int8_facts() -> Mapping[str, Any]:
    """Return what the identity of a backbone says of it."""
    return {"dtype": INT8, INT8: {"weights": "by row", "inputs": "by token", "engine": "onednn"}}


def multiply_integers(model: nn.Module, names: Iterable[str]) -> None:
    """Put a `DynamicInt8Linear` in the place of some linear layers of a model, one by one."""
    for name in names:
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        model.set_submodule(name, DynamicInt8Linear(linear))


class DynamicInt8Linear(nn.Module):
    """Computes what a linear layer does, up to the rounding of its weight and its input; no gradient passes.

    Args:
        linear: on the CPU, in any precision.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach().float()
        scale = _scale(weight)
        self._weight = torch.ops.onednn.qlinear_prepack(weight.div(scale).round_().to(torch.int8), None)
        self._offsets = torch.zeros(self.out_features, dtype=torch.long)
        self.scale = nn.Buffer(scale.flatten())
        self.bias = None if linear.bias is None else nn.Buffer(linear.bias.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b: (…, in) -> (…, out), both float32."""
        scale = _scale(x)
        integers = x.div(scale).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(SIGN)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            integers, 1.0, SIGN, self._weight, self.scale, self._offsets, None, 1.0, 0, torch.float32, "none", [], ""
        )
        product.mul_(scale)
        return product if self.bias is None else product.add_(self.bias)


def _scale(rows: Tensor) -> Tensor:
    """Return what each row is divided by, (…, 1); for a row of zeros nearly nothing."""
    return rows.abs().amax(-1, keepdim=True).div_(LARGEST).clamp_min_(torch.finfo(rows.dtype).tiny)
