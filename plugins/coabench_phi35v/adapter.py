"""An adapter of Phi-3.5-vision: in PEFT's layout, in the published training script's, or its weights alone.

The published script's layout is PEFT's with ``non_lora_state_dict.bin``, other trained tensors, and the base's
``config.json`` beside it. Source: the published loader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coabench.base.reading import exists
from coabench.errors import UserError
from coabench.support.adapter import Adapter
from coabench.support.adapter_config import LORA, PREFIX, lora_ranks
from coabench.support.adapter_folder import CONFIG, AdapterFolder
from coabench.support.published import OTHERS
from coabench.support.tensorfile import TorchFile, file_digest
from coabench_phi35v.checkpoint import SHARED, Shapes, counted
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.plain_lora import PlainLora

PUBLISHED_ALPHA = 16.0
"""The alpha of the published adapter; taken where an adapter's weights come without their config."""


class Phi35Adapter:
    """The adapter in *folder*, for a model whose parameters need not have memory.

    Attributes:
        facts: what the run's identity records: fingerprint, rank, alpha and where it comes from, number of tensors.

    Args:
        merges: whether it is merged; else it stands beside weights that are quantised.

    Raises:
        UserError: where a file cannot be read, the config asks for what cannot be merged, or a tensor finds no place
            in the base.
    """

    def __init__(self, folder: Path, model: Phi3VForCausalLM, *, merges: bool = True) -> None:
        self.folder = folder
        self._notes: list[str] = []
        self._files = AdapterFolder.read(folder, needs_config=False)
        self._lora = lora_ranks(self._files.tensors.entries)
        if exists(folder / "config.json") and (differ := model.sizes.differences(ModelConfig.read(folder))):
            raise self._unfit("was trained on another base", counted(differ) + " (base / adapter)")
        files = self._files if self._files.config is not None else self._assumed()
        self._beside = None if merges else self._checked(files, model.sizes, merges=False)
        self._adapter = self._beside or PlainLora.of(files, model) or self._checked(files, model.sizes, merges=True)
        self._others = self._read_others({name: tuple(value.shape) for name, value in model.state_dict().items()})
        self._differing: list[str] = []
        self.facts = {"fingerprint": self._fingerprint(), **self._facts()}

    @property
    def notes(self) -> list[str]:
        """Sentences for the user, complete after `merge`."""
        return [*self._notes, *self._adapter.notes]

    def base(self, name: str, stored: Tensor) -> Tensor:
        """Return a base parameter, or what was trained whole in its place."""
        module, _, leaf = name.rpartition(".")
        copied = self._others.get(f"{module}.base_layer.{leaf}")
        # Compared at the precision of the copy: a base stored wider is no difference.
        if copied is not None and not torch.equal(stored.to(copied.dtype), copied.to(stored.device)):
            self._differing.append(name)
        return self._others[name].to(stored.device) if name in self._others else stored

    def merge(self, model: Phi3VForCausalLM, stored: Callable[[str], Tensor]) -> None:
        """Merge it into the weights of *model*, or put it beside them where these are quantised.

        Args:
            stored: name of a parameter -> its values, as the checkpoint stores them.
        """
        if self._beside:
            self._beside.attach(model)
        else:
            self._adapter.merge(model, lambda name: self._others[name] if name in self._others else stored(name))
        if self._differing:
            self._notes.append(
                f"tensors of LoRA-wrapped modules in {self.folder / OTHERS} differ from the base: "
                f"{len(self._differing)}, the first {self._differing[0]}; the published loader ignores them, and so "
                "does this one"
            )

    @staticmethod
    def _checked(files: AdapterFolder, base: ModelConfig, *, merges: bool) -> Adapter:
        adapter = Adapter(files)
        adapter.check(Phi3VForCausalLM.blueprint(base), todays_name, merges=merges)
        return adapter

    def _assumed(self) -> AdapterFolder:
        """Return the files with the config that they lack: a LoRA's, of these ranks and the published alpha."""
        if not self._lora:
            raise self._unfit(f"has no {CONFIG}, and its tensors are no LoRA's", "lora_A and lora_B weights")
        self._notes.append(
            f"{self.folder} has no {CONFIG}: alpha {PUBLISHED_ALPHA:g}, that of the published adapter, is assumed"
        )
        config = {
            "peft_type": LORA,
            "r": next(iter(self._lora.values())),
            "rank_pattern": {f"^{re.escape(module)}": rank for module, rank in self._lora.items()},
            "lora_alpha": PUBLISHED_ALPHA,
            "target_modules": list(self._lora),
        }
        return replace(self._files, config=config)

    def _read_others(self, shapes: Shapes) -> dict[str, Tensor]:
        """Map ``non_lora_state_dict.bin`` by base name; tensors of wrapped modules keep their ``.base_layer``."""
        path = self.folder / OTHERS
        if not exists(path):
            return {}
        file = TorchFile(path)
        self._others_digest = file.fingerprint()
        named = {name.removeprefix(PREFIX): value for name, value in file.entries.items()}
        named.pop(SHARED, None)
        for name, value in named.items():
            shape = shapes.get(name.replace(".base_layer.", "."))
            if shape is None:
                raise self._unfit(f"has a tensor that finds no place in the base: {name} in {OTHERS}", "base tensors")
            if tuple(value.shape) != shape:
                raise self._unfit(
                    f"has a tensor of the wrong shape: {name} {tuple(value.shape)} in {OTHERS}", f"{shape}"
                )
        return named

    def _facts(self) -> dict[str, Any]:
        config, tensors = self._files.config, len(self._files.tensors.entries)
        if self._adapter.method != LORA:
            return {"method": self._adapter.method, "tensors": tensors}
        ranks = sorted(set(self._lora.values()))
        facts: dict[str, Any] = {
            "rank": ranks[0] if len(ranks) == 1 else ranks,
            "alpha": PUBLISHED_ALPHA if config is None else config["lora_alpha"],
            "alpha_source": "assumed, as published" if config is None else CONFIG,
            "tensors": tensors,
        }
        if config is not None and config.get("alpha_pattern"):
            facts["alpha_pattern"] = config["alpha_pattern"]
        return facts

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        if self._files.config is not None:
            digest.update(file_digest(self.folder / CONFIG))
        digest.update(self._files.tensors.fingerprint())
        if self._others:
            digest.update(self._others_digest)
        return digest.hexdigest()

    def _unfit(self, problem: str, expected: str) -> UserError:
        return UserError(
            f"the adapter in {self.folder} {problem}",
            expected=expected,
            remedy="use an adapter that was trained on this base; nothing of an adapter is dropped silently",
        )


def todays_name(name: str) -> str:
    """Return the name of a part of the model in the checkpoint: transformers 5 writes CLIP's tower a level higher."""
    return re.sub(r"\bimg_processor\.(?!vision_model\b)", "img_processor.vision_model.", name)
