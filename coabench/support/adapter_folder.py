"""A folder with an adapter in PEFT's layout: its config and its tensors, or in words what is there instead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.json import FOREIGN, read_json
from coabench.base.reading import exists, why
from coabench.base.schema import At, Number, others, read_fields
from coabench.errors import UserError
from coabench.support.adapter_config import LORA
from coabench.support.tensorfile import PLAIN, TensorFile, TorchFile, file_digest

CONFIG, WEIGHTS, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
TYPES = PLAIN | {"F64", "I64", "I32", "BOOL"}
"""What an adapter may be stored as: numbers as they are, and the places of those that were trained."""


@dataclass(frozen=True, kw_only=True)
class _Config:
    """What the config of every method has; the rest is PEFT's to read."""

    peft_type: str = ""
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class _LoraConfig:
    """What is read of a LoRA's config here."""

    r: Number | None = None
    lora_alpha: Number | None = None
    rank_pattern: Mapping[str, Number] | None = None
    alpha_pattern: Mapping[str, Number] | None = None
    target_modules: str | tuple[str, ...] | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True)
class AdapterFolder:
    """What stands in the folder of an adapter.

    Attributes:
        path: the folder.
        config: what ``adapter_config.json`` holds; None where there is none.
        tensors: its weights. Those that torch has pickled, as PEFT did until 0.6, are read without running code.
    """

    path: Path
    config: dict[str, Any] | None
    tensors: TensorFile | TorchFile

    @classmethod
    def read(cls, path: Path, needs_config: bool = True) -> AdapterFolder:
        """Read a folder.

        Raises:
            UserError: it holds no adapter, but checkpoints, several adapters or a whole model, say; a file is damaged.
        """
        weights = next((path / name for name in (WEIGHTS, PICKLED) if exists(path / name)), None)
        if weights is None or (needs_config and not exists(path / CONFIG)):
            raise _no_adapter(path)
        tensors = TensorFile(weights, TYPES) if weights.name == WEIGHTS else TorchFile(weights)
        if not tensors.entries:
            raise UserError(f"the adapter in {path} holds no tensors", remedy="fetch it again, or train it again")
        return cls(path, _read_config(path / CONFIG), tensors)

    def fingerprint(self) -> str:
        """Return a SHA-256, in hex, over weights and config."""
        config = file_digest(self.path / CONFIG) if self.config is not None else b""
        return hashlib.sha256(self.tensors.fingerprint() + config).hexdigest()


def _read_config(path: Path) -> dict[str, Any] | None:
    if not exists(path):
        return None
    try:
        config = read_json(path, FOREIGN)
        if not isinstance(config, dict):
            raise ValueError(f"a JSON {type(config).__name__}")
        at = At(path, "fetch the adapter again")
        if read_fields(_Config, config, at).peft_type == LORA:
            read_fields(_LoraConfig, config, at)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read",
            expected="the config of an adapter, as PEFT writes it",
            found=why(error),
            remedy="fetch the adapter again",
        ) from error
    return config


def _no_adapter(path: Path) -> UserError:
    """Return the error that says what is in a folder instead of an adapter, and what to give."""
    names = sorted(each.name for each in path.iterdir())
    below = sorted({each.parent.name for each in path.glob(f"*/{CONFIG}")}, key=_natural)
    checkpoints = [name for name in below if re.fullmatch(r"checkpoint-\d+", name)]
    found, remedy = ", ".join(names[:8]) or "an empty folder", "correct --adapter"
    if below:
        several = "checkpoints of a training" if checkpoints == below else "several adapters, each in a folder"
        found = f"{several}: {', '.join(below[-8:])}"
        remedy = f"name one of them: --adapter {path / below[-1]}"
    elif "config.json" in names and any(name.startswith(("model.safetensors", "pytorch_model")) for name in names):
        found, remedy = "the checkpoint of a whole model", f"give it as the model: --backbone NAME:{path}"
    return UserError(
        f"{path} holds no adapter",
        expected=f"{CONFIG} and {WEIGHTS} (or {PICKLED}), as PEFT writes them",
        found=found,
        remedy=remedy,
    )


def _natural(name: str) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return stem, int(number or 0)
