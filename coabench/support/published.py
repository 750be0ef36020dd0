"""The layout of the published training script: PEFT 0.10's, tensors trained whole, and the base's ``config.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coabench.base.files import write_json, write_text
from coabench.errors import UserError
from coabench.support.adapter_config import LORA, PLAIN_INIT
from coabench.support.adapter_folder import CONFIG

OTHERS = "non_lora_state_dict.bin"
KNOWN = frozenset(
    {"alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "fan_in_fan_out", "inference_mode"}
    | {"init_lora_weights", "layer_replication", "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha"}
    | {"lora_dropout", "megatron_config", "megatron_core", "modules_to_save", "peft_type", "r", "rank_pattern"}
    | {"revision", "target_modules", "task_type", "use_dora", "use_rslora"}
)
"""The fields of ``LoraConfig`` in PEFT 0.10.0, which refuses any other."""
DORA = "use_dora for an embedding, such as the vision tower's positions"
"""What PEFT 0.10.0 does not support, though it knows the field."""
SAYS_NOTHING = frozenset({"peft_version", "qalora_group_size"})
"""Later fields that have a value where nothing is switched on."""


def published_config(config: Mapping[str, Any], tensors: Iterable[str], folder: Path) -> dict[str, Any]:
    """Return the config of an adapter as PEFT 0.10.0 reads it: without the fields that it does not know.

    Args:
        tensors: the names of its tensors.
        folder: of the adapter, for error messages.

    Raises:
        UserError: it is no LoRA, one of those fields is switched on, or it is a DoRA of an embedding.
    """
    newer = sorted(name for name, value in config.items() if value and name not in KNOWN | SAYS_NOTHING)
    if config.get("use_dora") and any("lora_embedding_" in name for name in tensors):
        newer.append(DORA)
    if config.get("peft_type") != LORA or newer or config.get("init_lora_weights") not in PLAIN_INIT:
        what = ", ".join(newer) or f"peft_type {config.get('peft_type')}, init {config.get('init_lora_weights')}"
        raise UserError(
            f"the adapter in {folder} cannot be written in the published layout",
            expected="a LoRA as PEFT 0.10 has it",
            found=what,
            remedy="write another layout: peft or merged",
        )
    known = {name: value for name, value in config.items() if name in KNOWN}
    return {**known, "init_lora_weights": True, "inference_mode": True, "task_type": "CAUSAL_LM"}


def write_beside(
    folder: Path, config: Mapping[str, Any], others: Mapping[str, Tensor], extras: Mapping[str, str]
) -> None:
    """Write what the published layout has beside the adapter's weights.

    Args:
        config: see `published_config`.
        others: the tensors that were trained whole.
        extras: name -> text, see `coabench.backbone.Trainee.extras`.
    """
    write_json(folder / CONFIG, config)
    torch.save(dict(others), folder / OTHERS)
    for name, text in extras.items():
        write_text(folder / name, text)
