"""A checkpoint folder of transformers: what is in it, checked before any weights are read."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    PretrainedConfig,
)

from coabench.base.json import FOREIGN, read_json
from coabench.base.names import to_hash
from coabench.base.reading import JSON, exists, open_file, why
from coabench.errors import UserError, first_line
from coabench.support.quantised import KINDS, Quantisation
from coabench.support.tensorfile import TensorFile, file_digest, fingerprint

OTHER_BACKBONES = {"phi3_v": "phi-3.5-vision"}
"""Types of models that transformers does not have -> the backbone that runs them."""
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PROCESSOR_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
"""The files that say how images and text become numbers, beside the weights."""
HISTORY = ("training.json", INDEX)


class Checkpoint:
    """The model in *folder*.

    Attributes:
        folder: where it is.
        config: what its config.json says.
        unused: the tensors that the model has no use for, once there is a `blueprint`.

    Raises:
        UserError: no config.json or weights; a type that transformers lacks, or that does not take images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = _config(folder)
        _check_files(folder)
        self.unused: tuple[str, ...] = ()
        self.files = [TensorFile(path, types=None) for path in _weights(folder)]

    def fingerprint(self) -> str:
        """Return a SHA-256, in hex, over the weights (of large files header and samples of every tensor)."""
        return fingerprint(self.files)

    def processor_fingerprint(self) -> str:
        """Return a SHA-256, in hex, over the configs, the tokenizer, the processor and the chat template."""
        return processor_fingerprint(self.folder)

    def blueprint(self, attention: str) -> Any:
        """Return the model, its parameters without memory, fitted to the tensors that the checkpoint holds.

        Raises:
            UserError: the checkpoint lacks a tensor of the model, or one has another shape; or the model does not have
                such an attention.
        """
        model, info = self._open(attention, device_map="meta", output_loading_info=True, ignore_mismatched_sizes=True)
        for what, key in (("lacks weights", "missing_keys"), ("has weights of other shapes", "mismatched_keys")):
            if names := sorted(str(key[0] if isinstance(key, tuple) else key) for key in info[key]):
                raise UserError(
                    f"the checkpoint in {self.folder} {what}",
                    expected="every tensor of the model that its config.json describes: nothing is filled in at random",
                    found=f"{names[0]} ({len(names)} in all)",
                    remedy="use a complete checkpoint; an adapter goes to --adapter",
                )
        self.unused = tuple(sorted(map(str, info["unexpected_keys"])))
        return model

    def load(self, dtype: torch.dtype, attention: str) -> Any:
        """Return the model with its weights."""
        return self._open(attention, dtype=dtype)

    def load_quantised(
        self, quantisation: Quantisation, whole: Iterable[str], device: torch.device, attention: str
    ) -> Any:
        """Return the model with its weights on a device, those of linear layers quantised as they are read.

        Args:
            whole: the linear layers that stay as they are.
        """
        config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_8bit=quantisation.load == "8bit",
            load_in_4bit=quantisation.load == "4bit",
            llm_int8_skip_modules=[re.escape(name) for name in whole],
            bnb_4bit_quant_type=KINDS["4bit"],
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=quantisation.dtype,
        )
        model = self._open(attention, dtype=quantisation.dtype, device_map={"": device}, quantization_config=config)
        quantisation.settle(model)
        return model

    def _open(self, attention: str, **how: Any) -> Any:
        try:
            return AutoModelForImageTextToText.from_pretrained(
                self.folder, config=copy.deepcopy(self.config), attn_implementation=attention, use_safetensors=True,
                trust_remote_code=False, local_files_only=True, **how,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise UserError(
                f"transformers cannot open the model in {self.folder}",
                found=first_line(error),
                remedy="check that the checkpoint is complete; where attention is named: --set attention=eager",
            ) from None


def processor_fingerprint(folder: Path) -> str:
    """Return a SHA-256, in hex, over the files in a folder that say how images and text become numbers."""
    digest = hashlib.sha256()
    paths = {path for pattern in PROCESSOR_FILES for path in folder.glob(pattern) if path.name not in HISTORY}
    for path in sorted(paths):
        digest.update(to_hash(path.name) + b"\0" + file_digest(path))
    return digest.hexdigest()


def _check_files(folder: Path) -> None:
    """Refuse (`UserError`) files that transformers would wait for, or read without end."""
    for path in sorted(path for pattern in PROCESSOR_FILES for path in folder.glob(pattern) if path.name != INDEX):
        try:
            if path.suffix == ".json":
                read_json(path, FOREIGN)
            else:
                open_file(path, JSON).close()
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read",
                found=why(error),
                remedy="fetch it again, or remove what is no part of the model",
            ) from None


def _config(folder: Path) -> PretrainedConfig:
    path = folder / "config.json"
    try:
        raw = read_json(path, FOREIGN)
        kind = raw["model_type"]
        if not isinstance(kind, str):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} holds no model of transformers",
            expected="a config.json with a model_type",
            found=_config_problem(error) if exists(path) else "no config.json",
            remedy="point to the folder of a complete checkpoint, or give a hub id",
        ) from None
    if kind in OTHER_BACKBONES:
        raise UserError(
            f"transformers has no model of the type {kind!r}: the code that comes with its checkpoint never runs here",
            remedy=f"take --backbone {OTHER_BACKBONES[kind]}:{folder}",
        )
    if raw.get("quantization_config"):
        raise UserError(
            f"the checkpoint in {folder} is quantised",
            expected="weights in float32, bfloat16 or float16",
            found=f"quantization_config, method {raw['quantization_config'].get('quant_method', 'unknown')}"
            if isinstance(raw["quantization_config"], dict)
            else "a quantization_config",
            remedy="use the unquantised checkpoint; or serve this one and take --backbone openai",
        )
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # hundreds of configs, each with errors of its own
        remote = "auto_map" in raw
        raise UserError(
            f"transformers cannot read the model in {folder}",
            expected="a type of model that transformers has" + (", without code of its own" if remote else ""),
            found=f"{kind}: {first_line(error)}",
            remedy="remote code never runs here: serve the model and take --backbone openai" if remote
            else "upgrade transformers, or use another checkpoint",
        ) from None  # fmt: skip
    check_kind(config, f"the model in {folder}")
    return config


def check_kind(config: PretrainedConfig, model: str) -> None:
    """Refuse (`UserError`) a model that takes no images, or does not continue a chat.

    Args:
        model: what error messages call it.
    """
    kind = config.model_type
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise UserError(
            f"{model} takes no images or answers no text",
            expected="an image-text-to-text model, such as LLaVA, SmolVLM or Qwen2.5-VL",
            found=str(kind),
            remedy="use the checkpoint of a vision-language model",
        )
    if config.is_encoder_decoder or getattr(config.get_text_config(), "is_encoder_decoder", False):
        raise UserError(
            f"{model} reads its prompt with an encoder",
            expected="a model that continues a chat, token by token",
            found=str(kind),
            remedy="use the checkpoint of a decoder-only model, such as LLaVA, SmolVLM or Qwen2.5-VL",
        )


def _config_problem(error: Exception) -> str:
    return "no model_type in it" if isinstance(error, KeyError | TypeError) else first_line(error)


def _weights(folder: Path) -> list[Path]:
    if exists(folder / SINGLE):
        return [folder / SINGLE]
    try:
        mapped = read_json(folder / INDEX)["weight_map"]
        return [folder / name for name in sorted(set(mapped.values()))]
    except FileNotFoundError:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        raise UserError(
            f"{folder} holds no weights that can be read safely",
            expected=f"{SINGLE}, or {INDEX} and the files it names",
            found=", ".join(pickled) or "no weights",
            remedy="convert pickled weights to safetensors" if pickled else "point to a complete checkpoint",
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(
            f"{folder / INDEX} names no weights", found=first_line(error), remedy="fetch it again"
        ) from None
