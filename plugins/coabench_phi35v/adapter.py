"""A LoRA adapter: read, checked against the base tensor by tensor, and merged into it exactly.

Three layouts are understood: PEFT's (``adapter_config.json``, ``adapter_model.safetensors``), the published training
script's (the same, and ``non_lora_state_dict.bin`` with other trained tensors and the base's ``config.json``), and
``adapter_model.safetensors`` alone.

Source: PEFT's ``lora.Linear`` and ``lora.Embedding`` ``get_delta_weight``; the published loader.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coabench.errors import UserError, first_line
from coabench.support.tensorfile import TensorFile, file_digest, pickle_digest
from coabench_phi35v.checkpoint import SHARED, Shapes, counted
from coabench_phi35v.config import ModelConfig, read_json

CONFIG, WEIGHTS, OTHERS = "adapter_config.json", "adapter_model.safetensors", "non_lora_state_dict.bin"
PUBLISHED_ALPHA = 16.0
"""The alpha of the published adapter; taken where an adapter's weights come without their config."""
PREFIX = "base_model.model."

HARMLESS = {
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights", "peft_type"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "task_type", "auto_mapping"),
    *("base_model_name_or_path", "revision", "peft_version", "inference_mode", "lora_dropout"),
    *("loftq_config", "megatron_core", "qalora_group_size"),
}
"""Fields of a LoRA config that are understood, or say nothing about how the weights are to be merged."""
PLAIN_INIT = (True, False, None, "gaussian", "orthogonal", "eva")
"""Ways of initialising LoRA that leave the base weights as they are."""

_PART = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<part>[AB])(?:\.default)?(?P<tail>\.weight)?")


@dataclass(frozen=True)
class Pair:
    """The two factors of one module's update: names of A and B in the file, and the scaling."""

    a: str
    b: str
    scaling: float
    embedding: bool


class Adapter:
    """The adapter in *folder*, for a base of this config and these parameter shapes.

    Attributes:
        facts: what the run's identity records: fingerprint, rank, alpha and where it comes from, number of tensors.
        notes: sentences for the user; `apply` adds what it notices.

    Raises:
        UserError: where a file cannot be read, the config asks for something else than plain LoRA, or a tensor finds
            no place in the base.
    """

    def __init__(self, folder: Path, base: ModelConfig, shapes: Shapes) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._shapes = shapes
        self._file = TensorFile(folder / WEIGHTS)
        self._config = _read_config(folder)
        if (folder / "config.json").is_file() and (differ := base.differences(ModelConfig.read(folder))):
            raise self._unfit("was trained on another base", counted(differ) + " (base / adapter)")
        self._pairs = self._paired()
        self._others = self._read_others()
        self._differing: list[str] = []
        self.facts = {"fingerprint": self._fingerprint(), **self._lora_facts()}
        if self._config is None:
            self.notes.append(
                f"{folder} has no {CONFIG}: alpha {PUBLISHED_ALPHA:g}, that of the published adapter, is assumed"
            )

    def apply(self, name: str, base: Tensor) -> Tensor:
        """Return a base parameter as the adapter wants it: replaced where it was trained whole, updated by LoRA.

        The update is computed and added in float32: W + scaling * B A.
        """
        if name in self._others:
            base = self._others[name].to(base.device)
        self._compare(name, base)
        pair = self._pairs.get(name)
        if pair is None:
            return base
        a, b = (self._file.read(part).to(base.device, torch.float32) for part in (pair.a, pair.b))
        update = (b @ a) * pair.scaling
        return base.float() + (update.T if pair.embedding else update)

    def finish(self) -> None:
        """Note what `apply` saw, once every parameter went through it."""
        if self._differing:
            self.notes.append(
                f"{self.folder / OTHERS} holds {len(self._differing)} tensors of LoRA-wrapped modules that differ from"
                f" the base, the first {self._differing[0]}; the published loader ignores them, and so does this one"
            )

    # -- LoRA pairs ---------------------------------------------------------------------------------------------------

    def _paired(self) -> dict[str, Pair]:
        """Return the pair of every parameter that LoRA updates; every tensor of the file is used."""
        halves: dict[tuple[str, bool], dict[str, str]] = {}
        for name in self._file.entries:
            match = _PART.fullmatch(name)
            if match is None or bool(match["embedding"]) == bool(match["tail"]):
                raise self._unfit(f"has a tensor that is no LoRA weight: {name}", "lora_A/B.weight, lora_embedding_A/B")
            module = match["module"].removeprefix(PREFIX)
            halves.setdefault((module, bool(match["embedding"])), {})[match["part"]] = name
        pairs = {}
        for (module, embedding), parts in halves.items():
            target = f"{module}.weight"
            if len(parts) < 2:
                raise self._unfit(f"has one half of a pair only: {next(iter(parts.values()))}", "lora_A with lora_B")
            if target not in self._shapes or target in pairs:
                raise self._unfit(f"has a tensor that finds no place in the base: {parts['A']}", "the base's modules")
            rank = self._rank(module, parts["A"])
            out, into = self._shapes[target][::-1] if embedding else self._shapes[target][:2]
            for part, shape in (("A", (rank, into)), ("B", (out, rank))):
                actual = self._file.entries[parts[part]].shape
                if actual != shape or len(self._shapes[target]) != 2:
                    raise self._unfit(f"has a tensor of the wrong shape: {parts[part]} {actual}", f"{shape}")
            pairs[target] = Pair(parts["A"], parts["B"], self._scaling(module, rank), embedding)
        if not pairs:
            raise self._unfit("holds no tensors", "lora_A and lora_B weights")
        return pairs

    def _rank(self, module: str, a: str) -> int:
        shape = self._file.entries[a].shape
        rank = shape[0] if shape else 0
        if self._config is not None:
            stated = _by_pattern(self._config.get("rank_pattern"), module, self._config["r"])
            if stated != rank:
                raise self._unfit(f"has a tensor of another rank than its config says: {a} {shape}", f"rank {stated}")
        return rank

    def _scaling(self, module: str, rank: int) -> float:
        if self._config is None:
            return PUBLISHED_ALPHA / rank
        alpha = _by_pattern(self._config.get("alpha_pattern"), module, self._config["lora_alpha"])
        return float(alpha) / (math.sqrt(rank) if self._config.get("use_rslora") else rank)

    # -- tensors trained whole ----------------------------------------------------------------------------------------

    def _read_others(self) -> dict[str, Tensor]:
        """Map ``non_lora_state_dict.bin`` by base name; tensors of wrapped modules keep their ``.base_layer``."""
        path = self.folder / OTHERS
        if not path.is_file():
            return {}
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
        except (OSError, RuntimeError, ValueError, AttributeError, pickle.UnpicklingError) as e:
            raise UserError(
                f"{path} cannot be read",
                expected="tensors saved by torch.save, and nothing else",
                found=first_line(e),
                remedy="fetch the file again, or save it again with a current torch",
            ) from e
        self._others_digest = pickle_digest(path, tensors.items())
        named = {name.removeprefix(PREFIX): value for name, value in tensors.items()}
        named.pop(SHARED, None)
        for name, value in named.items():
            shape = self._shapes.get(name.replace(".base_layer.", "."))
            if shape is None:
                raise self._unfit(f"has a tensor that finds no place in the base: {name} in {OTHERS}", "base tensors")
            if tuple(value.shape) != shape:
                raise self._unfit(
                    f"has a tensor of the wrong shape: {name} {tuple(value.shape)} in {OTHERS}", f"{shape}"
                )
        return named

    def _compare(self, name: str, base: Tensor) -> None:
        module, _, leaf = name.rpartition(".")
        saved = self._others.get(f"{module}.base_layer.{leaf}")
        # Compared at the precision of the saved tensor: a base stored wider is no difference.
        if saved is not None and not torch.equal(base.to(saved.dtype), saved.to(base.device)):
            self._differing.append(name)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _lora_facts(self) -> dict[str, Any]:
        ranks = sorted({self._file.entries[pair.a].shape[0] for pair in self._pairs.values()})
        config = self._config
        facts: dict[str, Any] = {
            "rank": ranks[0] if len(ranks) == 1 else ranks,
            "alpha": PUBLISHED_ALPHA if config is None else config["lora_alpha"],
            "alpha_source": "assumed, as published" if config is None else CONFIG,
            "tensors": len(self._file.entries),
        }
        if config is not None and config.get("alpha_pattern"):
            facts["alpha_pattern"] = config["alpha_pattern"]
        return facts

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        if self._config is not None:
            digest.update(file_digest(self.folder / CONFIG))
        digest.update(self._file.fingerprint())
        if self._others:
            digest.update(self._others_digest)
        return digest.hexdigest()

    def _unfit(self, problem: str, expected: str) -> UserError:
        return UserError(
            f"the adapter in {self.folder} {problem}",
            expected=expected,
            remedy="use an adapter that was trained on this base; nothing of an adapter is dropped silently",
        )


def _read_config(folder: Path) -> dict[str, Any] | None:
    """Return the LoRA config, None where there is none; `UserError` where it asks for more than plain LoRA."""
    path = folder / CONFIG
    if not path.is_file():
        return None
    config = read_json(path)
    unknown = [f"{field} = {value!r}" for field, value in config.items() if field not in HARMLESS and value
               and (field, value) != ("bias", "none")]  # fmt: skip
    if config.get("peft_type") != "LORA":
        unknown.insert(0, f"peft_type = {config.get('peft_type')!r}")
    if config.get("init_lora_weights", True) not in PLAIN_INIT:
        unknown.append(f"init_lora_weights = {config['init_lora_weights']!r}")
    for field in ("r", "lora_alpha"):
        if not isinstance(config.get(field), int | float) or config[field] <= 0:
            unknown.append(f"{field} = {config.get(field)!r}")
    if unknown:
        raise UserError(
            f"{path} asks for something that this port cannot merge: {counted(unknown)}",
            expected="plain LoRA (peft_type LORA, no DoRA, no bias, no modules_to_save)",
            remedy="merge the adapter into its base with PEFT and give the result as the model",
        )
    return config


def _by_pattern(pattern: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """Return the value whose key fits the end of a module's name, as PEFT's ``get_pattern_key`` finds it."""
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default
