"""What all backbones of transformers share: questions become chats, which the model continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import PIL.Image
from transformers import GenerationConfig

from coabench.backbone import Backbone
from coabench.base.text import plural
from coabench.decode import Decode
from coabench.dialogue import Question
from coabench.errors import UserError
from coabench_transformers.beginnings import Kept
from coabench_transformers.chat import Chat, Refused
from coabench_transformers.shared import Sharing
from coabench_transformers.viewing import TransformersViewing

if TYPE_CHECKING:
    from PIL.Image import Image

Prepared = tuple["Image", ...]


class ChatBackbone(Backbone[Prepared]):
    """A model of transformers that continues chats.

    Attributes:
        chat: how a conversation is written for it.
        config: the model's.
    """

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change.

        Attributes:
            max_new_tokens: how long an answer may become, in tokens.
        """

        max_new_tokens: int = 256

        def __post_init__(self) -> None:
            if self.max_new_tokens < 1:
                raise UserError(f"max_new_tokens={self.max_new_tokens} makes no sense", expected="1 or more")

    chat: Chat
    config: Any
    options: Any
    _model: Any = None
    _shared: Kept | None = None
    """What is kept from one batch to the next; None where the weights may change between them."""

    check_keeps_nothing = True

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse questions that the chat template or the processor cannot write: several images, say."""
        most = getattr(self.config.get_text_config(), "max_position_embeddings", None)
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
                    expected=f"a model that takes a chat of {plural(len(question.messages), 'message')} and "
                    f"{plural(len(shown), 'image')}",
                    found=str(error),
                    remedy="choose another --strategy, or another --backbone",
                ) from None
            if most and length >= most:
                raise UserError(
                    f"the question {question.name!r} is too long for this model",
                    expected=f"fewer than {most} tokens",
                    found=f"{length} tokens with {plural(len(shown), 'image')}",
                    remedy="choose another --strategy, or fewer exemplars",
                )

    def generation(self, own: Any) -> GenerationConfig:
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
        return TransformersViewing(self._model, self.chat, batch, self._sharing, self._shared)

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing(self._model)
