"""Phi-3.5-vision as a `Backbone`: checks first, loads later, looks once, answers many times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import tokenizers
import torch
from torch import Tensor

from coabench.backbone import Backbone, BackboneRequest
from coabench.dialogue import Question
from coabench.errors import UserError
from coabench.recipe import INT8, Preset
from coabench.support.hub import folder_of
from coabench.support.int8_dynamic import check_int8, int8_facts, multiply_integers
from coabench.support.placement import device_name, device_of, dtype_name, dtype_of
from coabench.support.quantised import Quantisation
from coabench.support.tensorfile import file_digest
from coabench_phi35v.adapter import Phi35Adapter
from coabench_phi35v.cache import Kept
from coabench_phi35v.checkpoint import Checkpoint
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.images import picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import ChatTokenizer, Control, chat
from coabench_phi35v.training import Phi35Trainee
from coabench_phi35v.viewing import Phi35Viewing, Prepared

if TYPE_CHECKING:
    from PIL.Image import Image

STOPS = {"end": (Control.END, Control.ENDOFTEXT), "endoftext": (Control.ENDOFTEXT,)}


PUBLISHED = Preset(
    recipe={
        **{"rank": 32, "alpha": 16.0, "dropout": 0.05, "epochs": 10.0, "batch_size": 32, "learning_rate": 2e-4},
        **{"schedule": "cosine", "warmup": 0.03, "weight_decay": 0.0, "checkpointing": True, "dtype": "bfloat16"},
        **{"dev": 0.0, "evaluations": 10},
    },
    options={"num_crops": "16", "extra_bos": "true"},
    description="Chain-of-Affect's published fine-tuning: every train image, no development part, 16 crops",
    trainer={"adam_beta2": "0.98", "adam_epsilon": "1e-7"},  # the defaults of the method's own params.py
)
LITERAL = replace(
    PUBLISHED,
    recipe={**PUBLISHED.recipe, "share": False},
    micro_batch=4,
    description="the same record by record, as the published script batches them",
)


class Phi35Vision(Backbone[Prepared]):
    """Phi-3.5-vision, with or without a LoRA adapter, merged at load.

    Raises:
        UserError: from the constructor, where the model or the adapter is missing, broken, or does not fit.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores", "samples", "trains", "quantises", INT8})
    presets: ClassVar[Mapping[str, Preset]] = {"published": PUBLISHED, "published-literal": LITERAL}

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change.

        Attributes:
            num_crops: how many local crops an image is cut into at most. 4 is the published processor's default;
                the published adapter was trained with 16.
            stop: the token that ends an answer: ``end`` for ``<|end|>`` (or ``<|endoftext|>``), ``endoftext`` for
                that alone, as in the published run, where a newline follows the label.
            max_new_tokens: how many tokens an answer may have (1000 as published).
            attention: ``sdpa`` (fused), or ``eager`` as in the published run; equal up to rounding.
        """

        num_crops: int = 4
        stop: Literal["end", "endoftext"] = "end"
        max_new_tokens: int = 1000
        attention: Literal["sdpa", "eager"] = "sdpa"

        def __post_init__(self) -> None:
            for name, allowed in (("stop", ("end", "endoftext")), ("attention", ("sdpa", "eager"))):
                if getattr(self, name) not in allowed:
                    raise UserError(
                        f"{name}={getattr(self, name)} is no choice of phi-3.5-vision", expected=" or ".join(allowed)
                    )
            for name in ("num_crops", "max_new_tokens"):
                if getattr(self, name) < 1:
                    raise UserError(f"{name}={getattr(self, name)} makes no sense", expected="1 or more")

    @dataclass(frozen=True)
    class TrainingOptions:
        """What ``--set`` may change in training.

        Attributes:
            extra_bos: begin every sequence with one more beginning-of-sequence token than at inference, as the
                published training data does.
        """

        extra_bos: bool = False

    def __init__(self, request: BackboneRequest) -> None:
        if not request.model:
            raise UserError(
                "the backbone phi-3.5-vision needs a model",
                expected="--backbone phi-3.5-vision:PATH_OR_HUB_ID",
                remedy="for instance --backbone phi-3.5-vision:microsoft/Phi-3.5-vision-instruct",
            )
        self.options = request.options or self.Options()
        self.device = device_of(request.device)
        self._int8 = request.dtype == INT8
        if self._int8:
            check_int8(self.device, request.load)
        self.dtype = dtype_of("float32" if self._int8 else request.dtype, self.device)
        folder = folder_of(request.model, "model")
        config = ModelConfig.read(folder)
        self.model = Phi3VForCausalLM.blueprint(config, self.options.attention)
        shapes = {name: tuple(value.shape) for name, value in self.model.state_dict().items()}
        self._checkpoint = Checkpoint(folder, shapes)
        self.tokenizer = ChatTokenizer(folder / "tokenizer.json")
        self._shared = Kept()
        adapter = folder_of(request.adapter, "adapter") if request.adapter else None
        self._quantisation = Quantisation.of(request.load, self.dtype)
        self._adapter = Phi35Adapter(adapter, self.model, merges=self._quantisation is None) if adapter else None

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return {
            "checkpoint": self._checkpoint.fingerprint(),
            "tokenizer": file_digest(self._checkpoint.folder / "tokenizer.json").hex(),
            "adapter": self._adapter.facts if self._adapter else None,
            **(int8_facts() if self._int8 else {"dtype": dtype_name(self.dtype)}),
            **(self._quantisation.facts() if self._quantisation else {}),
            **asdict(self.options),
        }

    def identity(self) -> Mapping[str, Any]:
        """Return fingerprints of checkpoint, tokenizer and adapter, the precision and all options."""
        return self._identity

    def details(self) -> Mapping[str, Any]:
        """Return device and versions, and ``notes``: sentences for the user, complete after `load`."""
        return {
            "device": device_name(self.device),
            "torch": torch.__version__,
            "tokenizers": tokenizers.__version__,
            "notes": list(self._adapter.notes) if self._adapter else [],
        }

    def load(self) -> None:
        """Read the weights onto the device, quantise those that are to be, and apply the adapter.

        Layers that are to multiply integers are quantised last, with the adapter in them; until then they keep the
        precision of the checkpoint.
        """
        checkpoint, adapter = self._checkpoint, self._adapter
        base = adapter.base if adapter else lambda _, tensor: tensor
        kinds = checkpoint.dtypes()
        layers = self.model.linear_layers if self._int8 else []
        precisions = {f"{name}.weight": kinds[f"{name}.weight"] for name in layers}
        self.model.fill(dict(self._quantised(checkpoint.weights(self.device, self.dtype, base, precisions))))
        if adapter:
            self._merge(adapter, kinds)
        multiply_integers(self.model, layers)
        self._shared = Kept.on(self.device)  # what other weights have computed is forgotten

    def _merge(self, adapter: Phi35Adapter, kinds: Mapping[str, torch.dtype]) -> None:
        loaded = dict(self.model.named_parameters())

        def stored(name: str) -> Tensor:
            """Read only what was rounded when it was loaded."""
            exact = loaded[name].dtype in (torch.float32, kinds[name])
            return loaded[name].data if exact else self._checkpoint.stored(name)

        adapter.merge(self.model, stored)

    def _quantised(self, weights: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights, those of quantised layers as these keep them: one alone is whole at a time."""
        layers = {f"{name}.weight": name for name in self.model.projections} if self._quantisation else {}
        for name, weight in weights:
            if self._quantisation and name in layers:
                linear: Any = self.model.get_submodule(layers[name])
                layer = self._quantisation.layer(linear, weight)
                self.model.set_submodule(layers[name], layer)
                yield name, layer.weight
            else:
                yield name, weight

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Prepared:
        """Cut the images of one sample into crops; `SampleError` for an image too long and thin."""
        return tuple(picture(image, self.options.num_crops, self.model.sizes.crop) for image in images)

    def prompt_tokens(self, prepared: Prepared, questions: Sequence[Question]) -> int:
        """Count the tokens of whole prompts, image tokens included."""
        sizes = [picture.tokens for picture in prepared]
        return sum(len(self.tokenizer.encode(chat(question.messages), sizes)) for question in questions)

    def look(self, batch: Sequence[Prepared]) -> Phi35Viewing:
        """Look at a batch; the images are encoded when the first question about them comes."""
        stop = frozenset(self.tokenizer.control(control) for control in STOPS[self.options.stop])
        trained = any(parameter.requires_grad for parameter in self.model.parameters())
        shared = None if trained else self._shared  # the weights differ from one viewing to the next
        return Phi35Viewing(self.model, self.tokenizer, batch, stop, self.options.max_new_tokens, shared)

    def trainee(self, options: TrainingOptions) -> Phi35Trainee:
        """Return the model for training."""
        return Phi35Trainee(self.model, self.tokenizer, self._checkpoint, options.extra_bos)
