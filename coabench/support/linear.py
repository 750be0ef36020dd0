"""Linear layers in float32 on a CPU, by the library that is fast on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from coabench.support.placement import cpu_flags, cpu_vendor


def fast_linear(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Return a context in which linear layers without gradients are fast on this machine.

    torch multiplies float32 matrices on a CPU by MKL, whose AVX-512 kernels run on Intel's processors only. On an AMD
    EPYC with AVX-512 it reached 214 billion operations a second with two threads where oneDNN, which is part of torch
    too, reached 459 (1,154 × 1,024 × 4,096; benchmarks/README.md). Both round to float32; they add in another order.
    In a training that is what `coabench.training.lora_layer` computes, forwards and backwards, and frozen parts.
    """
    right = device.type == "cpu" and dtype == torch.float32 and cpu_vendor() == "AuthenticAMD"
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return OneDnn() if right and there and "avx512f" in cpu_flags() else nullcontext()


class OneDnn(TorchFunctionMode):
    """Lets oneDNN compute `torch.nn.functional.linear` of float32 matrices on a CPU, where no gradient is wanted."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.linear and not kwargs and _fits(*args[:2]):
            return torch.ops.mkldnn._linear_pointwise(*args[:2], args[2] if len(args) > 2 else None, "none", [], "")
        return func(*args, **(kwargs or {}))


def _fits(inputs: Tensor, weight: Tensor) -> bool:
    return (
        inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and not torch.is_grad_enabled()
    )
