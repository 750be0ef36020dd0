"""A LoRA adapter in PEFT's layout, merged into a model of transformers, every tensor of it used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from coabench.errors import UserError, first_line
from coabench.support.tensorfile import TensorFile, file_digest

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class Adapter:
    """The adapter in *folder*.

    Raises:
        UserError: it is not there, is pickled, or is no LoRA.
    """

    def __init__(self, folder: Path) -> None:
        from peft import PeftConfig

        self.folder = folder
        if not (folder / WEIGHTS).is_file() or not (folder / CONFIG).is_file():
            names = sorted(path.name for path in folder.iterdir())
            raise UserError(
                f"{folder} holds no adapter",
                expected=f"{CONFIG} and {WEIGHTS}, as PEFT writes them",
                found=", ".join(names[:8]) or "an empty folder",
                remedy="correct --adapter",
            )
        try:
            self.config = PeftConfig.from_pretrained(str(folder))
        except Exception as error:  # it calls whatever the file names
            raise UserError(
                f"{folder / CONFIG} cannot be read",
                expected="the config of a LoRA, as PEFT writes it",
                found=first_line(error),
                remedy="fetch the adapter again, or upgrade peft",
            ) from None
        if str(getattr(self.config.peft_type, "value", self.config.peft_type)) != "LORA":
            raise UserError(
                f"the adapter in {folder} is no LoRA",
                expected="peft_type LORA",
                found=str(getattr(self.config.peft_type, "value", self.config.peft_type)),
                remedy="merge it into its base with PEFT and give the result as the model",
            )
        self._file = TensorFile(folder / WEIGHTS)

    def fingerprint(self) -> str:
        """Return a SHA-256, in hex, over config and weights."""
        return hashlib.sha256(self._file.fingerprint() + file_digest(self.folder / CONFIG)).hexdigest()

    def check(self, blueprint: Any) -> None:
        """Compare it with a model whose parameters have no memory, which is changed by that.

        Raises:
            UserError: a tensor belongs to no module of the model or has another shape, or a module gets none.
        """
        from peft import get_peft_model_state_dict

        wanted = get_peft_model_state_dict(self._around(blueprint), save_embedding_layers=False)
        entries = self._file.entries
        for what, names in (
            ("no place for", entries.keys() - wanted.keys()),
            ("no weights for", wanted.keys() - entries.keys()),
        ):
            if names:
                raise self._unfit(f"{what} {min(names)} ({len(names)} in all)")
        for name, tensor in wanted.items():
            if tuple(tensor.shape) != entries[name].shape:
                raise self._unfit(f"{name} of shape {entries[name].shape} instead of {tuple(tensor.shape)}")

    def merged(self, model: Any) -> Any:
        """Return the model, for which it was checked, with the adapter added to its weights."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        wrapped = self._around(model)
        set_peft_model_state_dict(wrapped, load_file(str(self.folder / WEIGHTS)))
        return wrapped.merge_and_unload()

    def _around(self, model: Any) -> Any:
        from peft import PeftModel

        try:
            return PeftModel(model, self.config)
        except Exception as error:  # a config may ask for anything that PEFT knows
            raise self._unfit(first_line(error)) from None

    def _unfit(self, found: str) -> UserError:
        return UserError(
            f"the adapter in {self.folder} does not fit this model",
            expected="a LoRA that was trained on it, every tensor of which is used",
            found=found,
            remedy="correct --adapter or --backbone",
        )
