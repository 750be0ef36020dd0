"""Adapters as plain PEFT makes them: every method that it has, on the modules of two small networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import nn

TOKENS = {"task_type": "CAUSAL_LM", "num_transformer_submodules": 1, "num_attention_heads": 4, "num_layers": 2}
PROMPTS = {**TOKENS, "num_virtual_tokens": 4}
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "ADALORA": {"total_step": 10},
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 16},
    "CPT": TOKENS,
    "IA3": {"feedforward_modules": ["down_proj"], "target_modules": ["o_proj", "down_proj"]},
    "LN_TUNING": {"target_modules": ["input_layernorm"]},
    "MISS": {"r": 4},
    "MULTITASK_PROMPT_TUNING": PROMPTS,
    "OFT": {"oft_block_size": 8, "r": 0},
    "PREFIX_TUNING": PROMPTS,
    "PROMPT_TUNING": PROMPTS,
    "PVERA": {"r": 4},
    "P_TUNING": PROMPTS,
    "RANDLORA": {"r": 4},
    "ROAD": {"group_size": 16},
    "SHIRA": {"r": 2},
    "TRAINABLE_TOKENS": {"target_modules": ["embed_tokens"], "token_indices": [3, 5]},
    "VBLORA": {"num_vectors": 8, "vector_length": 16, "topk": 2},
    "VERA": {"r": 4},
    "WAVEFT": {"n_frequency": 64},
}
"""What a config needs beside its defaults; where it names no modules, a projection of the attention is trained."""


def config_of(method: str, **changes: Any) -> Any:
    """Return a config of PEFT's for *method*; where there is none for a language model, its defaults."""
    kind: Any = PEFT_TYPE_TO_CONFIG_MAPPING[method]  # type: ignore[index]
    recipe = {**RECIPES.get(method, {}), **changes}
    fields = kind.__dataclass_fields__
    width = {"token_dim": 64} if "token_dim" in fields and "task_type" in recipe else {}
    where = {"target_modules": ["o_proj"]} if "target_modules" in fields and "task_type" not in recipe else {}
    return kind(**{**width, **where, **recipe})


def save_adapter(base: nn.Module, method: str, folder: Path, scale: float = 0.1, **changes: Any) -> Path:
    """Wrap *base*, move what is trained away from where it began, and save it.

    Where PEFT does not make such an adapter on this network, save its config with a tensor of no use: what comes of it
    is then what the config says.
    """
    torch.manual_seed(0)
    try:
        model: Any = get_peft_model(base, config_of(method, **changes))  # type: ignore[arg-type]
    except Exception:  # methods for other networks, each with errors of its own
        folder.mkdir()
        task = {"task_type": "CAUSAL_LM"} if method in ("CPT",) else {}
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": method, **task}))
        save_file({"base_model.model.nothing": torch.zeros(1)}, folder / "adapter_model.safetensors")
        return folder
    noise = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn(parameter.shape, generator=noise)
    model.save_pretrained(folder)
    return folder


def merged_by_peft(base: nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights that PEFT makes of *base* and the adapter in *folder*."""
    model: Any = PeftModel.from_pretrained(base, str(folder))  # type: ignore[arg-type]
    state: dict[str, torch.Tensor] = model.merge_and_unload().state_dict()
    return state
