"""``--trainer KEY=VALUE``: the fields of transformers' TrainingArguments that a training here can have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, get_args, get_type_hints

from coabench.base.json import parse_json
from coabench.errors import UserError, did_you_mean
from coabench.recipe import Recipe
from coabench.training.parts import has_rates

OWN_OPTIONS = {
    "output_dir": "--output", "overwrite_output_dir": "--overwrite", "resume_from_checkpoint": "the same command again",
    "per_device_train_batch_size": "--micro-batch", "gradient_accumulation_steps": "--batch-size and --micro-batch",
    "auto_find_batch_size": "--micro-batch", "num_train_epochs": "--epochs", "max_steps": "--steps",
    "learning_rate": "--lr", "warmup_steps": "--warmup", "lr_scheduler_type": "--schedule",
    "weight_decay": "--weight-decay", "seed": "--seed", "data_seed": "--seed", "bf16": "--dtype", "fp16": "--dtype",
    "use_cpu": "--device", "gradient_checkpointing": "--checkpointing", "load_best_model_at_end": "--dev",
    "metric_for_best_model": "--dev", "greater_is_better": "--dev", "eval_strategy": "--dev",
    "eval_steps": "--evaluations", "save_strategy": "--evaluations", "save_steps": "--evaluations",
    "report_to": "the log that is always written",
}  # fmt: skip
"""Fields that have an option of their own here."""

IMPOSSIBLE = {
    "label_smoothing_factor": "the model computes its own loss, over the answers alone",
    "use_liger_kernel": "the model computes its own loss, over the answers alone",
    "neftune_noise_alpha": "the model puts images among its embeddings itself",
    "train_sampling_strategy": "the order is that of the seed, with the questions of an image together",
    "save_only_model": "a killed training resumes from the optimizer's state",
    "push_to_hub": "a training writes to its folder; `coabench adapters card --push` uploads the finished one",
}
"""Fields that fail, or change nothing, with the reason."""


def trainer_fields(assignments: Mapping[str, str]) -> dict[str, Any]:
    """Return ``--trainer`` assignments with their values read.

    Raises:
        UserError: a field that is unknown, has an option of its own or cannot be had, or a value that is no number.
    """
    if not assignments:
        return {}  # what there is takes seconds to import
    from transformers import TrainingArguments

    known = [f.name for f in fields(TrainingArguments)]
    values: dict[str, Any] = {}
    for key, text in assignments.items():
        if option := OWN_OPTIONS.get(key):
            raise UserError(
                f"--trainer {key} has an option of its own", expected=option, remedy=f"use {option} instead"
            )
        if reason := IMPOSSIBLE.get(key):
            raise UserError(f"--trainer {key} is not possible: {reason}", remedy="leave it out")
        if key not in known:
            raise UserError(
                f"--trainer {key}: transformers' TrainingArguments has no such field",
                remedy=f"{did_you_mean(key, known)}correct --trainer",
            )
        try:
            values[key] = parse_json(text.lower() if text in ("True", "False", "None") else text)
        except ValueError:
            values[key] = text
    hints = get_type_hints(TrainingArguments) if values else {}
    for key, value in values.items():
        _check_value(key, value, get_args(hints[key]) or (hints[key],))
    return values


def _check_value(key: str, value: Any, kinds: tuple[Any, ...]) -> None:
    """Check a number or a switch: TrainingArguments takes any value, and fails in the middle of the training."""
    if not set(kinds) <= {bool, int, float, NoneType}:
        return
    allowed = {*kinds, int} if float in kinds else {*kinds}
    if type(value) not in allowed:
        names = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}
        raise UserError(
            f"--trainer {key} has a value of another kind",
            expected=" or ".join(names[kind] for kind in kinds),
            found=repr(value),
            remedy="correct --trainer",
        )


def check_sharding(fields: Mapping[str, Any], recipe: Recipe, device: str, *, keeps: bool = False) -> None:
    """Check that a training whose parameters are sharded can be had.

    accelerate makes FSDP of processes on GPUs alone: on the CPU it trains with DDP, without a word.

    Args:
        fields: of ``--trainer``.
        device: of this process.
        keeps: whether ``--vision-cache`` is passed.

    Raises:
        UserError: it cannot.
    """
    sharded = [name for name in ("fsdp", "deepspeed") if fields.get(name) or _launched_with(name)]
    if not sharded:
        return
    if device.startswith("cpu"):
        raise UserError(
            f"{sharded[0]} shards a model over GPUs alone",
            expected="GPUs",
            found=device,
            remedy="leave it out: several processes on the CPU train as one does",
        )
    if keeps:
        raise UserError(
            f"{sharded[0]} shards the model: its processes compute every layer together, so none can be left out",
            found="--vision-cache",
            remedy="leave out --vision-cache, or train without sharding",
        )
    if has_rates(recipe) or recipe.dora or recipe.modules_to_save:
        raise UserError(
            f"{sharded[0]} shards the model: which parameters are whose cannot be seen, and DoRA needs whole weights",
            expected="a LoRA without --dora, --lora-plus, --part-lr and --modules-to-save",
            remedy="leave them out, or train without sharding",
        )
    if recipe.load:
        raise UserError(
            f"{sharded[0]} cannot shard weights in {recipe.load.removesuffix('bit')} bits",
            found=f"--load {recipe.load}",
            remedy="leave out --load, or train without sharding",
        )
    if recipe.dev or recipe.full or recipe.rewards:
        raise UserError(
            f"{sharded[0]} shards the model: it cannot answer (for --dev or rewards), nor be written whole",
            expected="a LoRA, --dev 0 and --objective supervised",
            found="--objective grpo" if recipe.rewards else "--full" if recipe.full else f"--dev {recipe.dev}",
            remedy="pass --lora --dev 0 --objective supervised, or train without sharding",
        )


def _launched_with(name: str) -> bool:
    """Return whether `accelerate launch` has switched it on; transformers reads more words than accelerate."""
    return os.environ.get(f"ACCELERATE_USE_{name.upper()}", "").lower() not in ("", "0", "f", "false", "n", "no", "off")
