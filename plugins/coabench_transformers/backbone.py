"""Any image-text-to-text model of transformers as a `Backbone`: checked first, loaded later, asked in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import PIL.Image
import torch
import transformers
from transformers import GenerationConfig
from transformers.utils import logging

from coabench.backbone import Backbone, BackboneRequest
from coabench.decode import Decode
from coabench.dialogue import Question
from coabench.errors import UserError
from coabench.recipe import Preset
from coabench.support.adapter import Adapter
from coabench.support.adapter_folder import AdapterFolder
from coabench.support.hub import folder_of
from coabench.support.memory import explained_oom
from coabench.support.placement import device_name, device_of, dtype_name, dtype_of
from coabench_transformers.chat import Chat, Refused
from coabench_transformers.checkpoint import Checkpoint
from coabench_transformers.earlier_names import todays_names
from coabench_transformers.training import TransformersTrainee
from coabench_transformers.viewing import TransformersViewing

if TYPE_CHECKING:
    from PIL.Image import Image

Prepared = tuple["Image", ...]


class TransformersVision(Backbone[Prepared]):
    """``--backbone transformers:FOLDER|HUB_ID``: a model that ``AutoModelForImageTextToText`` opens."""

    capabilities = frozenset({"generates", "scores", "samples", "trains"})
    presets: ClassVar[Mapping[str, Preset]] = {
        "default": Preset(
            recipe={"rank": 16, "alpha": 32.0, "batch_size": 32, "learning_rate": 1e-4, "targets": ("language",)},
            micro_batch=1,
            description="a LoRA on the language model",
        )
    }

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change.

        Attributes:
            max_new_tokens: how long an answer may become, in tokens.
            attention: the implementation of attention, ``sdpa`` or ``eager``.
        """

        max_new_tokens: int = 256
        attention: str = "sdpa"

        def __post_init__(self) -> None:
            if self.max_new_tokens < 1:
                raise UserError(f"max_new_tokens={self.max_new_tokens} makes no sense", expected="1 or more")
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
        self.chat = Chat(self.checkpoint.folder)
        self._adapter = Adapter(AdapterFolder.read(folder_of(request.adapter, "adapter"))) if request.adapter else None
        blueprint = self.checkpoint.blueprint(self.options.attention)
        if self._adapter:
            self._adapter.check(blueprint, todays_names(blueprint))
        self._model: Any = None
        self._trainee: TransformersTrainee | None = None

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return {
            "type": self.checkpoint.config.model_type,
            "checkpoint": self.checkpoint.fingerprint(),
            "processor": self.checkpoint.processor_fingerprint(),
            "adapter": self._adapter.fingerprint() if self._adapter else None,
            "dtype": dtype_name(self.dtype),
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

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse questions that the chat template or the processor cannot write: several images, say."""
        most = getattr(self.checkpoint.config.get_text_config(), "max_position_embeddings", None)
        for question in questions:
            shown = [index for message in question.messages for index in message.images]
            images = [PIL.Image.new("RGB", (96, 96), "grey")] * (max(shown, default=0) + 1)
            try:
                if not self.chat.shows_every_image(question.messages):
                    raise Refused("its chat template does not write a place for every image")
                length = self.chat.inputs([question.messages], [images], "left")["input_ids"].shape[1]
            except Refused as error:
                raise UserError(
                    f"this model cannot be asked the question {question.name!r}",
                    expected=f"a model that takes a chat of {len(question.messages)} messages and {len(shown)} images",
                    found=str(error),
                    remedy="choose another --strategy, or another --backbone",
                ) from None
            if most and length >= most:
                raise UserError(
                    f"the question {question.name!r} is too long for this model",
                    expected=f"fewer than {most} tokens",
                    found=f"{length} tokens with {len(shown)} images",
                    remedy="choose another --strategy, or fewer exemplars",
                )

    def load(self) -> None:
        """Read the weights, all of them, merge the adapter, and put them on the device."""
        model = self.checkpoint.load(self.dtype, self.options.attention)
        if self._adapter:
            model = self._adapter.merge(model)
        with explained_oom(
            "the device has too little memory for this model", "use --dtype bfloat16 or a smaller model"
        ):
            model.to(self.device).eval()
        model.generation_config = self._generation(model.generation_config)
        self._model = model
        if self._trainee:
            self._trainee.module = model

    def _generation(self, own: Any) -> GenerationConfig:
        """Return greedy decoding; an answer ends where the checkpoint says, or where its template ends one."""
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        known = {int(end) for end in [*ends, self.chat.tokenizer.eos_token_id, self.chat.end] if end is not None}
        return GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            max_new_tokens=self.options.max_new_tokens,
            eos_token_id=sorted(known),
            pad_token_id=self.chat.pad,
        )

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Prepared:
        """Return the images; the model's processor sees them together with the questions."""
        return tuple(images)

    def prompt_tokens(self, prepared: Prepared, questions: Sequence[Question]) -> int | None:
        """Count the tokens of whole prompts as the processor makes them; None where it refuses an image."""
        try:
            made = [self.chat.inputs([question.messages], [prepared], "right") for question in questions]
        except Refused:
            return None
        return sum(int(inputs["attention_mask"].sum()) for inputs in made)

    def look(self, batch: Sequence[Prepared]) -> TransformersViewing:
        """Look at a batch."""
        return TransformersViewing(self._model, self.chat, batch)

    def trainee(self, options: Any) -> TransformersTrainee:
        """Return the model for training, its parameters without memory until `load`."""
        self._trainee = TransformersTrainee(
            self.checkpoint.blueprint(self.options.attention), self.chat, self.checkpoint
        )
        return self._trainee
