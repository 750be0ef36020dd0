"""A LoRA as plain as those that ``coabench train`` writes, merged as PEFT merges it and without PEFT.

Importing PEFT takes longer than the first answers of the embedded model. Whatever is not plain, PEFT looks at.

Source: ``get_delta_weight`` of PEFT's ``lora.Linear`` and ``lora.Embedding``; LoRA (arXiv 2106.09685), section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from coabench.support.adapter import nothing_changes
from coabench.support.adapter_config import LORA, PLAIN_INIT, PREFIX
from coabench.support.adapter_folder import AdapterFolder

UNIMPORTANT = {
    *("task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"),
    *("lora_dropout", "megatron_core", "qalora_group_size", "peft_type", "r", "lora_alpha", "target_modules"),
    "init_lora_weights",
}
"""Fields of a config that are read here, or do not matter to a merge. Every other one must be off."""


@dataclass
class PlainLora:
    """One rank and one alpha for modules that are listed by their full names.

    Attributes:
        notes: sentences for the user, complete after `merge`.
    """

    folder: AdapterFolder
    modules: Mapping[str, bool]
    """Module -> whether it is an embedding."""
    scaling: float
    method: str = LORA
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: AdapterFolder, model: nn.Module) -> PlainLora | None:
        """Return the adapter where it is plain and every tensor fits *model*, else None."""
        config: Mapping[str, Any] = folder.config or {}
        rank, alpha, targets = (config.get(name) for name in ("r", "lora_alpha", "target_modules"))
        on = any(value and value != "none" for name, value in config.items() if name not in UNIMPORTANT)
        if on or config.get("peft_type") != LORA or config.get("init_lora_weights") not in PLAIN_INIT:
            return None
        if not isinstance(rank, int) or not isinstance(alpha, int | float) or not isinstance(targets, list):
            return None
        if not (rank > 0 and alpha > 0):
            return None
        known, shapes, modules = dict(model.named_modules()), dict[str, tuple[int, ...]](), dict[str, bool]()
        for name in map(str, targets):
            module = known.get(name)
            if not isinstance(module, nn.Linear | nn.Embedding):
                return None
            modules[name] = isinstance(module, nn.Embedding)
            out, into = module.weight.shape[::-1] if modules[name] else module.weight.shape
            a, b = _names(name, modules[name])
            shapes |= {a: (rank, into), b: (out, rank)}
        if {name: tuple(entry.shape) for name, entry in folder.tensors.entries.items()} != shapes:
            return None
        return cls(folder, modules, alpha / rank)

    def merge(self, model: nn.Module, stored: Callable[[str], Tensor]) -> None:
        """Add the update to every weight, in float32, and round once.

        Args:
            stored: name of a parameter -> its values as the checkpoint stores them.
        """
        changes = False
        for name, embedding in self.modules.items():
            weight = model.get_submodule(name).get_parameter("weight")
            a, b = (self.folder.tensors.read(key).to(weight.device).float() for key in _names(name, embedding))
            base = stored(f"{name}.weight").to(weight.device).float()
            update = (b @ a).T if embedding else b @ a
            merged = base + update * self.scaling
            changes = changes or not torch.equal(merged, base)
            weight.data = merged.to(weight.dtype)
        if not changes:
            self.notes.append(nothing_changes(self.folder.path))


def _names(module: str, embedding: bool) -> tuple[str, str]:
    """Return the names of A and B in the file."""
    if embedding:
        return f"{PREFIX}{module}.lora_embedding_A", f"{PREFIX}{module}.lora_embedding_B"
    return f"{PREFIX}{module}.lora_A.weight", f"{PREFIX}{module}.lora_B.weight"
