"""Any image-text-to-text model of transformers as a `Backbone`: checked first, loaded later, asked in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
import transformers
from torch import nn
from transformers.utils import logging

from coabench.backbone import BackboneRequest
from coabench.errors import UserError
from coabench.recipe import Preset
from coabench.support.adapter import Adapter
from coabench.support.adapter_folder import AdapterFolder
from coabench.support.hub import folder_of
from coabench.support.memory import explained_oom
from coabench.support.placement import device_name, device_of, dtype_name, dtype_of
from coabench.support.quantised import Quantisation
from coabench_transformers.beginnings import Kept
from coabench_transformers.chat import Chat
from coabench_transformers.chat_backbone import ChatBackbone
from coabench_transformers.checkpoint import Checkpoint
from coabench_transformers.earlier_names import todays_names
from coabench_transformers.training import TransformersTrainee, language_linears


class TransformersVision(ChatBackbone):
    """``--backbone transformers:FOLDER|HUB_ID``: a model that ``AutoModelForImageTextToText`` opens."""

    capabilities = frozenset({"generates", "scores", "samples", "trains", "quantises"})
    presets: ClassVar[Mapping[str, Preset]] = {
        "default": Preset(
            recipe={"rank": 16, "alpha": 32.0, "batch_size": 32, "learning_rate": 1e-4, "targets": ("language",)},
            micro_batch=1,
            description="a LoRA on the language model",
        )
    }

    @dataclass(frozen=True)
    class Options(ChatBackbone.Options):
        """What ``--set`` may change.

        Attributes:
            attention: the implementation of attention, ``sdpa`` or ``eager``.
        """

        attention: str = "sdpa"

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.attention not in ("sdpa", "eager"):
                raise UserError(f"attention={self.attention} is no choice", expected="sdpa or eager")

    def __init__(self, request: BackboneRequest) -> None:
        if not request.model:
            raise UserError(
                "the backbone transformers needs a model",
                expected="--backbone transformers:FOLDER_OR_HUB_ID",
                remedy="for instance --backbone transformers:HuggingFaceTB/SmolVLM-Instruct",
            )
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        self.options = request.options or self.Options()
        self.device = device_of(request.device)
        self.dtype = dtype_of(request.dtype, self.device)
        self.checkpoint = Checkpoint(folder_of(request.model, "model"))
        self.config = self.checkpoint.config
        self.chat = Chat.read(self.checkpoint.folder)
        self._adapter = Adapter(AdapterFolder.read(folder_of(request.adapter, "adapter"))) if request.adapter else None
        blueprint = self.checkpoint.blueprint(self.options.attention)
        self._quantisation = Quantisation.of(request.load, self.dtype)
        if self._quantisation:
            quantised, every = language_linears(blueprint), blueprint.named_modules()
            self._whole_linears = [n for n, m in every if isinstance(m, nn.Linear) and n not in quantised]
        if self._adapter:
            self._adapter.check(blueprint, todays_names(blueprint), merges=self._quantisation is None)
        self._trainee: TransformersTrainee | None = None

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return {
            "type": self.checkpoint.config.model_type,
            "checkpoint": self.checkpoint.fingerprint(),
            "processor": self.checkpoint.processor_fingerprint(),
            "adapter": self._adapter.fingerprint() if self._adapter else None,
            "dtype": dtype_name(self.dtype),
            **(self._quantisation.facts() if self._quantisation else {}),
            "transformers": transformers.__version__,
            **asdict(self.options),
        }

    def identity(self) -> Mapping[str, Any]:
        """Return fingerprints of weights, processor and adapter, transformers' version, the precision and all options.

        transformers' version counts: chat templates, processors and the arithmetic of models change with it.
        """
        return self._identity

    def details(self) -> Mapping[str, Any]:
        """Return device and versions, and ``notes``: sentences for the user."""
        notes = list(self._adapter.notes) if self._adapter else []
        if unused := self.checkpoint.unused:
            notes.append(f"the model has no use for some weights of its checkpoint: {unused[0]} ({len(unused)} in all)")
        return {
            "device": device_name(self.device),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "notes": notes,
        }

    def load(self) -> None:
        """Read the weights, all of them, apply the adapter, and put them on the device."""
        with explained_oom(
            "the device has too little memory for this model", "use --dtype bfloat16, --load 4bit or a smaller model"
        ):
            model = self._quantised() if self._quantisation else self._whole()
        model.generation_config = self.generation(model.generation_config)
        self._model = model
        if self._trainee:
            self._trainee.fill(model)
        else:
            self._shared = Kept.on(self.device)

    def _whole(self) -> Any:
        model = self.checkpoint.load(self.dtype, self.options.attention)
        if self._adapter:
            model = self._adapter.merge(model)
        return model.to(self.device).eval()

    def _quantised(self) -> Any:
        """Return the model, its layers quantised on the device as they are read, with the adapter beside them."""
        assert self._quantisation is not None
        model = self.checkpoint.load_quantised(
            self._quantisation, self._whole_linears, self.device, self.options.attention
        )
        if self._adapter:
            self._adapter.attach(model)
        return model.eval()

    def close(self) -> None:
        """Let go of what was kept of images and prompts."""
        self._shared = None

    def trainee(self, options: Any) -> TransformersTrainee:
        """Return the model for training, its parameters without memory until `load`."""
        self._trainee = TransformersTrainee(
            self.checkpoint.blueprint(self.options.attention), self.chat, self.checkpoint
        )
        return self._trainee
