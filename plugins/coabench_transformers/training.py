"""What the training job needs of a model of transformers."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from coabench.backbone import Trainee
from coabench.dialogue import Turn
from coabench.support.trainee import activation_bytes, answer_loss, modules_by_part
from coabench_transformers.chat import Chat
from coabench_transformers.checkpoint import HISTORY, PROCESSOR_FILES, Checkpoint

if TYPE_CHECKING:
    from PIL.Image import Image

VISION = ("vision", "visual", "image_encoder")
PROJECTOR = ("projector", "connector", "merger", "adapter")


@dataclass(frozen=True)
class Encoded:
    """The turns about one sample, each a chat of its own with the tokens to learn."""

    chat: Chat
    images: tuple[Image, ...]
    turns: tuple[Turn, ...]

    @cached_property
    def tokens(self) -> int:
        """Tokens that go through the decoder."""
        made = self.chat.inputs([t.question.messages for t in self.turns], [self.images] * len(self.turns), "right")
        return int(made["attention_mask"].sum()) + sum(len(answer) for answer in self.answers)

    @property
    def answers(self) -> list[tuple[int, ...]]:
        """What is learnt of each turn: the answer, as it is scored, with the token that ends it."""
        return [self.chat.answer(turn.answer.response) for turn in self.turns]


class TransformersTrainee(Trainee):
    """A model of transformers as `coabench train` sees it. Every turn is a sequence of its own."""

    def __init__(self, model: Any, chat: Chat, checkpoint: Checkpoint) -> None:
        self.module: nn.Module = model
        self._chat, self._checkpoint = chat, checkpoint
        self.weighs, self.averaged = True, not _accepts_loss_kwargs(model)
        self.parts = _parts(model)
        self.groups = _linears(model)

    def fill(self, model: Any) -> None:
        """Take the model with its weights, and have it return the loss of the turns by their weights."""
        model.forward = weighing(model.forward)
        model.accepts_loss_kwargs = True
        self.module = model

    def encode(self, prepared: Sequence[Image], turns: Sequence[Turn]) -> Encoded:
        """Return the turns about one sample."""
        return Encoded(self._chat, tuple(prepared), tuple(turns))

    def collate(self, examples: Sequence[Encoded]) -> dict[str, Any]:
        """Return the arguments of the module's forward pass; padding and prompts are not learnt."""
        turns = [(turn, example.images) for example in examples for turn in example.turns]
        inputs = self._chat.inputs([t.question.messages for t, _ in turns], [images for _, images in turns], "right")
        answers = [answer for example in examples for answer in example.answers]
        longer, begins = self._chat.continued(inputs, answers)
        labels = torch.full_like(longer["input_ids"], -100)
        for row, (begin, answer) in enumerate(zip(begins, answers, strict=True)):
            labels[row, begin : begin + len(answer)] = torch.tensor(answer)
        kind = next(self.module.parameters()).dtype
        images = {name: value.to(kind) for name, value in longer.items() if value.is_floating_point()}
        weights = [turn.weight for turn, _ in turns]
        weighted = {"weights": torch.tensor(weights)} if any(weight != 1 for weight in weights) else {}
        return {**longer, **images, "labels": labels, **weighted}

    def activations(self, example: Encoded, width: int, checkpointing: bool) -> int:
        """Estimate the bytes of activations of the language model; the vision tower's are not counted."""
        text = self._checkpoint.config.get_text_config()
        return activation_bytes(example.tokens * text.hidden_size * text.num_hidden_layers, width, checkpointing)

    def save(self, folder: Path) -> None:
        """Write the whole model as a checkpoint, with the processor's files as they are."""
        model: Any = self.module
        model.save_pretrained(folder)
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors makes it readable by its owner alone
        for path in {path for pattern in PROCESSOR_FILES for path in self._checkpoint.folder.glob(pattern)}:
            if path.name not in (*HISTORY, "config.json") and not path.name.endswith(".index.json"):
                shutil.copyfile(path, folder / path.name)


def weighing(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the forward pass of a model, with the loss of `answer_loss` in place of the model's own.

    Models' own losses know no weights, and those of some (Qwen2.5-VL) no ``num_items_in_batch``. The pass takes, beside
    its own arguments, ``labels`` (long, rows x tokens, -100 for none), ``num_items_in_batch`` and ``weights`` (rows,).
    """

    @wraps(forward)  # others read its signature
    def weighed(
        *arguments: Any,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        weights: Tensor | None = None,
        **named: Any,
    ) -> Any:
        outputs = forward(*arguments, **named)
        if labels is not None:
            following = nn.functional.pad(labels, (0, 1), value=-100)[
                :, 1:
            ].flatten()  # a token's logits are the next's
            by_token = None if weights is None else weights.repeat_interleave(labels.shape[1])
            outputs["loss"] = answer_loss(outputs.logits.flatten(0, 1), following, num_items_in_batch, by_token)
        return outputs

    return weighed


def _accepts_loss_kwargs(model: Any) -> bool:
    """Whether transformers' Trainer hands a model ``num_items_in_batch``."""
    kinds = [parameter.kind for parameter in inspect.signature(model.forward).parameters.values()]
    return bool(getattr(model, "accepts_loss_kwargs", inspect.Parameter.VAR_KEYWORD in kinds))


def language_linears(model: Any) -> tuple[str, ...]:
    """Return the names of the linear layers of the language model, those that quantisation concerns; not the head."""
    return _linears(model).get("language", ())


def _linears(model: Any) -> dict[str, tuple[str, ...]]:
    head = model.get_output_embeddings()
    # Linear layers alone, and no subclass of theirs: others compute with their weight alone.
    return modules_by_part(model, _parts(model), lambda _, m: type(m) is nn.Linear and m is not head)


def _parts(model: Any) -> dict[str, str]:
    """Return part -> prefix of its parameters, found by the names that transformers gives to a model's children.

    The projector stands beside the vision tower, or is a child of it (the merger of Qwen2.5-VL).
    """
    base_name, base = ("model.", model.model) if hasattr(model, "model") else ("", model)
    beside = [(f"{base_name}{name}.", child) for name, child in base.named_children()]
    vision = [(name, child) for name, child in beside if _named(name, VISION)]
    inside = [(f"{name}{below}.", child) for name, tower in vision for below, child in tower.named_children()]
    projector = [name for name, _ in (*beside, *inside) if _named(name.removesuffix(".").rpartition(".")[2], PROJECTOR)]
    parts = {"projector": projector[0]} if projector else {}
    return {**parts, **({"vision": vision[0][0]} if vision else {}), "language": ""}


def _named(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)
