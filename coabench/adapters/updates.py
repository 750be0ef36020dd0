"""The updates of a LoRA, B·A of every module: compared by their factors, without making the products."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from coabench.errors import UserError
from coabench.support.adapter_config import LORA, PLAIN_INIT, PREFIX
from coabench.support.adapter_folder import AdapterFolder

PARTS = (("lora_A.weight", "lora_B.weight"), ("lora_embedding_A", "lora_embedding_B"))
VARIANTS = ("use_dora", "alpha_pattern", "modules_to_save", "lora_bias", "trainable_token_indices", "target_parameters")
"""Fields of a config that make a LoRA more than B·A with one alpha."""


@dataclass(frozen=True)
class Updates:
    """The updates of one adapter.

    Attributes:
        config: of the adapter.
        factors: name of A in the file -> name of B, A of shape (rank, in), B of shape (out, rank); B·A is the update.
    """

    folder: Path
    config: Mapping[str, Any]
    factors: Mapping[str, tuple[str, Tensor, Tensor]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read an adapter; `UserError` where it is no plain LoRA."""
        files = AdapterFolder.read(folder)
        config, read = files.config or {}, files.tensors.read
        more = [name for name in VARIANTS if config.get(name)]
        if config.get("peft_type") != LORA or more or config.get("init_lora_weights") not in PLAIN_INIT:
            raise _not_plain(folder, ", ".join(more) or f"peft_type {config.get('peft_type')}")
        factors = {}
        for a, b in ((name, _partner(name)) for name in files.tensors.entries if _partner(name)):
            if b not in files.tensors.entries:
                raise _not_plain(folder, f"{a} without {b}")
            first, second = read(a).float(), read(b).float()
            rank = len(first)
            scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
            factors[a] = (b, first, second * scaling)
        if 2 * len(factors) != len(files.tensors.entries):
            raise _not_plain(folder, f"{len(files.tensors.entries)} tensors, {len(factors)} pairs of A and B")
        return cls(folder, config, factors)

    def product(self, other: Self, name: str) -> float:
        """Return the inner product of the updates of a module, ⟨B₁A₁, B₂A₂⟩ = Σ (B₁ᵀB₂) ∘ (A₁A₂ᵀ)."""
        (_, a, b), (_, c, d) = self.factors[name], other.factors[name]
        return float(((b.T @ d).double() * (a @ c.T).double()).sum())


def module_of(name: str) -> str:
    """Return the module that a tensor belongs to."""
    return name.removeprefix(PREFIX).partition(".lora_")[0]


def _partner(name: str) -> str:
    return next((name.removesuffix(a) + b for a, b in PARTS if name.endswith(f".{a}")), "")


def _not_plain(folder: Path, found: str) -> UserError:
    return UserError(
        f"the adapter in {folder} is no plain LoRA",
        expected="a LoRA whose updates are alpha / rank · B A, without variants",
        found=found,
        remedy="merge it and compare evaluations instead",
    )
