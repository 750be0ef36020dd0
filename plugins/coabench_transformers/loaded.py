"""A model of transformers that is loaded already, with its processor, as a `Backbone`: borrowed, and left as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import peft
import torch
import transformers
from transformers import GenerationConfig, PreTrainedModel

from coabench.backbone import Answers, BackboneRequest, Questions
from coabench.errors import UserError
from coabench.registry.function_code import code_version
from coabench.support.placement import device_name, dtype_name
from coabench.support.tensorfile import tensors_fingerprint
from coabench_transformers.chat import Chat
from coabench_transformers.chat_backbone import ChatBackbone, Prepared
from coabench_transformers.checkpoint import check_kind, processor_fingerprint
from coabench_transformers.shared import Sharing
from coabench_transformers.viewing import Mode, TransformersViewing

if TYPE_CHECKING:
    from torch import Tensor

TAKEN = "(model, processor), an image-text-to-text model of transformers, PEFT around it or not, and its processor"
PASSING = ("_name_or_path", "transformers_version")
"""Fields of a config that say where it was loaded, and by what: not what the model does."""


class LoadedModel(ChatBackbone):
    """Asks a model that is loaded; a subclass holds it.

    Attributes:
        held: ``whole``, the model as it was handed over, PEFT's where that is around it; ``model``, that of
            transformers, with the layers of adapters in it; and ``processor``, a copy.
    """

    capabilities = frozenset({"generates", "scores", "samples"})
    held: ClassVar[SimpleNamespace]

    def __init__(self, request: BackboneRequest) -> None:
        model = self.held.model
        if request.adapter:
            raise UserError(
                "a model that is loaded already takes no adapter",
                remedy="put the adapter into it: peft.PeftModel.from_pretrained(model, FOLDER)",
            )
        placed = device_name(model.device).split()[0]
        for name, asked, there in (
            ("device", request.device, placed),
            ("dtype", request.dtype, dtype_name(model.dtype)),
        ):
            if asked not in ("auto", there, there.partition(":")[0]):
                raise UserError(
                    f"the model is loaded already, and {name}={asked!r} is not what it has", expected="auto",
                    found=there, remedy=f"leave {name} out, or move the model: model.to({asked!r})",
                )  # fmt: skip
        self.options = request.options or self.Options()
        self.config = model.config
        self.chat = Chat(self.held.processor, "that was handed over")
        self._model = model
        self._training = any(module.training for module in model.modules())

    @cached_property
    def _identity(self) -> dict[str, Any]:
        adapters = getattr(self.held.whole, "peft_config", None) or {}
        base, added = _parts(self.held.whole.state_dict(), set(adapters))
        config = {name: value for name, value in self.config.to_dict().items() if name not in PASSING}
        with TemporaryDirectory() as folder:
            self.held.processor.save_pretrained(folder)
            processor = processor_fingerprint(Path(folder))
        return {
            "type": self.config.model_type,
            "class": type(self.held.model).__name__,
            "code": code_version(type(self.held.model)),
            "checkpoint": tensors_fingerprint(base),
            "config": _digest(config),
            "processor": processor,
            "adapter": _adapter_digest(self.held.whole, adapters, added) if adapters else None,
            "dtype": dtype_name(self.held.model.dtype),
            "transformers": transformers.__version__,
            "max_new_tokens": self.options.max_new_tokens,
        }

    def identity(self) -> Mapping[str, Any]:
        """Return fingerprints of weights, config, processor and adapters, versions, the precision and all options."""
        return self._identity

    def details(self) -> Mapping[str, Any]:
        """Return device and versions, and ``notes``: sentences for the user."""
        note = "the model is in training mode: it answers in evaluation mode, and is put back"
        return {
            "device": device_name(self.held.model.device),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "notes": [note] if self._training else [],
        }

    def look(self, batch: Sequence[Prepared]) -> TransformersViewing:
        """Look at a batch."""
        generation = self.generation(self.held.model.generation_config)
        return _BorrowedViewing(self.held.model, self.chat, batch, self._sharing, generation)


class _BorrowedViewing(TransformersViewing):
    def __init__(
        self, model: Any, chat: Chat, samples: Sequence[Prepared], sharing: Sharing, generation: GenerationConfig
    ) -> None:
        super().__init__(model, chat, samples, sharing)
        self._generation = generation

    def _answers(self, questions: Questions, mode: Mode) -> Answers:
        with _borrowed(self._model, self._generation):
            return super()._answers(questions, mode)


@contextmanager
def _borrowed(model: Any, generation: GenerationConfig) -> Iterator[None]:
    """Let a model generate so, in evaluation mode; then put it back."""
    own, training = model.generation_config, [module for module in model.modules() if module.training]
    model.generation_config = generation
    model.eval()
    try:
        yield
    finally:
        model.generation_config = own
        for module in training:
            module.training = True


def backbone_of(value: Any) -> type[LoadedModel]:
    """Return a backbone that asks a model which is loaded already.

    Args:
        value: ``(model, processor)``, or a pipeline of both.

    Raises:
        UserError: something else, a model that takes no images, or a processor that lacks a part.
    """
    if isinstance(value, transformers.Pipeline):
        value = (value.model, value.processor)
    pair = tuple(value) if isinstance(value, tuple | list) else (value, None)
    whole: Any
    whole, processor = pair if len(pair) == 2 else (None, None)
    model = whole.get_base_model() if isinstance(whole, peft.PeftModel) else whole
    if not isinstance(model, PreTrainedModel) or processor is None:
        kinds = ", ".join(type(each).__name__ for each in pair if each is not None)
        raise UserError(
            "backbone does not fit", expected=TAKEN, found=kinds or "nothing",
            remedy="pass the processor beside the model" if isinstance(model, PreTrainedModel) else "correct backbone",
        )  # fmt: skip
    check_kind(model.config, f"the model {type(model).__name__}")
    if isinstance(whole, peft.PeftModel) and whole.active_peft_config.is_prompt_learning:
        raise UserError(
            "backbone has an adapter of prompts", expected="adapters of layers, such as LoRA",
            found=str(whole.active_peft_config.peft_type), remedy="use another method of PEFT's",
        )  # fmt: skip
    if any(tensor.is_meta for tensor in whole.state_dict().values()):
        raise UserError(
            "some weights of backbone are not in memory", expected="a model whose weights are all loaded",
            found="tensors on the device meta", remedy="load it without offloading",
        )  # fmt: skip
    Chat(deepcopy(processor), "that was handed over")
    held = SimpleNamespace(whole=whole, model=model, processor=deepcopy(processor))
    return type(type(model).__name__, (LoadedModel,), {"held": held, "__module__": __name__})


def _parts(state: Mapping[str, Tensor], adapters: set[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of the model, named as without PEFT, and those of adapters, known by their names."""
    added = {name: tensor for name, tensor in state.items() if adapters & set(name.split("."))}
    own = {name: tensor for name, tensor in state.items() if name not in added}
    plain = {name.removeprefix("base_model.model.").replace(".base_layer", ""): each for name, each in own.items()}
    return plain, added


def _adapter_digest(model: Any, configs: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    status = peft.get_model_status(model)
    state = [status.enabled, status.active_adapters, status.merged_adapters]
    described = {name: config.to_dict() for name, config in configs.items()}
    return _digest([tensors_fingerprint(tensors), described, state])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_text).encode()).hexdigest()


def _text(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
