"""Linear layers that keep their weights in 8 or 4 bits, by bitsandbytes, and compute in the model's precision.

``4bit`` is QLoRA's (arXiv 2305.14314, section 3): NF4 in blocks of 64 weights, whose scales are quantised again.
``8bit`` has the integers of LLM.int8() (arXiv 2208.07339), one scale for each row of a weight. What LLM.int8() does to
activations is left out: it looks for outliers in all rows of a batch, and an answer must not depend on its neighbours.

Whenever a layer computes, its weight is dequantised for that moment. Gradients pass it: a LoRA beside it learns.
"""

from __future__ import annotations

import importlib
import logging
import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from coabench.errors import UserError, with_type
from coabench.recipe import LOADS, Load

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PACKAGE = "bitsandbytes"
INSTALL = "pip install 'coabench[quantised]'"
KINDS: dict[Load, str] = {"8bit": "int8", "4bit": "nf4"}
"""What a manifest calls the numbers that weights become."""
CPU_KERNELS = f"{PACKAGE}.backends.cpu.ops"


@dataclass(frozen=True)
class Quantisation:
    """How the weights of linear layers are kept.

    Attributes:
        load: in how many bits.
        dtype: the precision of the arithmetic.
    """

    load: Load
    dtype: torch.dtype

    @classmethod
    def of(cls, load: Load | None, dtype: torch.dtype) -> Self | None:
        """Return what ``--load`` asks for, None for None; `UserError` where bitsandbytes is missing or broken."""
        if load is None:
            return None
        if load not in LOADS:
            raise UserError(f"unknown load {load}", expected=", ".join(LOADS), remedy="correct --load")
        try:
            if import_bitsandbytes() is None:
                raise UserError(f"--load {load} needs the package {PACKAGE}", found="not installed", remedy=INSTALL)
        except (ImportError, OSError, RuntimeError) as error:
            raise UserError(
                f"--load {load} needs the package {PACKAGE}, which cannot be imported",
                found=with_type(error),
                remedy=f"pip install --force-reinstall {PACKAGE}",
            ) from None
        return cls(load, dtype)

    def facts(self) -> dict[str, Any]:
        """Return what the identity of a backbone says of it."""
        bits = int(self.load.removesuffix("bit"))
        return {"load": {"bits": bits, "type": KINDS[self.load], PACKAGE: version(PACKAGE)}}

    def layer(self, linear: nn.Linear, weight: Tensor) -> nn.Linear:
        """Return a layer that computes what *linear* does, up to the rounding of its weight.

        Args:
            linear: its bias is taken, not copied.
            weight: (out, in), on the device where the layer is to be.
        """
        import bitsandbytes
        import torch

        from coabench.support.int8_linear import Int8Linear

        made: Any
        sizes = linear.in_features, linear.out_features
        with torch.device("meta"):
            if self.load == "8bit":
                made = Int8Linear(*sizes, bias=False, has_fp16_weights=False)
            else:
                made = bitsandbytes.nn.Linear4bit(
                    *sizes, bias=False, compute_dtype=self.dtype, compress_statistics=True, quant_type=KINDS["4bit"]
                )
        if self.load == "8bit":
            made.weight = bitsandbytes.nn.Int8Params(weight, requires_grad=False).to(weight.device)
        else:
            how = {"quant_type": KINDS["4bit"], "compress_statistics": True, "module": made}
            made.weight = bitsandbytes.nn.Params4bit(weight, requires_grad=False, **how).to(weight.device)
        made.bias = linear.bias
        return _settled(made)

    def settle(self, model: nn.Module) -> None:
        """Let layers that transformers has quantised compute as those of `layer` do, in place."""
        import bitsandbytes

        from coabench.support.int8_linear import Int8Linear

        for name, module in list(model.named_modules()):
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                _settled(module)
            elif isinstance(module, bitsandbytes.nn.Linear8bitLt):
                model.set_submodule(name, Int8Linear.like(module))


def _settled(layer: Any) -> nn.Linear:
    """Return the layer, computing alike on every CPU, in training and after it.

    On CPUs with avx512_bf16 bitsandbytes packs 4-bit weights anew when a layer first answers: it then multiplies in
    bfloat16 whatever the precision, and lets no gradient pass.
    """
    layer.support_avx512bf16_for_cpu = False
    settled: nn.Linear = layer
    return settled


def import_bitsandbytes() -> Any | None:
    """Import bitsandbytes and nothing that it would fetch; None where it is not installed.

    On CPUs with avx512_bf16 its import takes code from the hub where the package ``kernels`` is there, and complains
    where it is not. PEFT imports it wherever it is installed: call this before.
    """
    if PACKAGE in sys.modules or find_spec(PACKAGE) is None:
        return sys.modules.get(PACKAGE)
    log, there = logging.getLogger(CPU_KERNELS), sys.modules.get("kernels")
    log.disabled, sys.modules["kernels"] = True, None  # type: ignore[assignment]  # as if it were not installed
    try:
        return importlib.import_module(PACKAGE)
    finally:
        log.disabled = False
        del sys.modules["kernels"]
        if there is not None:
            sys.modules["kernels"] = there
