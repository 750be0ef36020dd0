"""What the training job needs of the port: turns -> packed rows, the modules that LoRA may wrap, a checkpoint back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from coabench.backbone import Trainee
from coabench.base.json import FOREIGN, read_json
from coabench.dialogue import Turn
from coabench.support.tensor_store import TensorStore
from coabench.support.trainee import activation_bytes, modules_by_part
from coabench_phi35v.checkpoint import Checkpoint
from coabench_phi35v.images import Picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.packing import Row, Rows, pack
from coabench_phi35v.prompt import ChatTokenizer, Control, chat

VISION = "model.vision_embed_tokens.img_processor."
HUB = "microsoft/Phi-3.5-vision-instruct"
AUTO_MAP = {
    "AutoConfig": "configuration_phi3_v.Phi3VConfig",
    "AutoModelForCausalLM": "modeling_phi3_v.Phi3VForCausalLM",
}
"""Where transformers finds the code of the model, as the hub's config.json says."""
PARTS = {"vision": VISION, "projector": "model.vision_embed_tokens.", "language": ""}


@dataclass(frozen=True)
class Encoded:
    """The turns about one sample, packed: one row, or two where only some need the long rope factors."""

    rows: tuple[Row, ...]

    @property
    def tokens(self) -> int:
        """Tokens that go through the decoder."""
        return sum(len(row.tokens) for row in self.rows)


class Phi35Trainee(Trainee):
    """Phi-3.5-vision as `coabench train` sees it.

    Args:
        model: with its weights.
        extra_bos: whether a sequence begins with one more beginning-of-sequence token than at inference, as in the
            published training data.
    """

    def __init__(
        self, model: Phi3VForCausalLM, tokenizer: ChatTokenizer, checkpoint: Checkpoint, extra_bos: bool
    ) -> None:
        self.module: Phi3VForCausalLM = model
        self._tokenizer = tokenizer
        self._checkpoint = checkpoint
        self._bos = [tokenizer.control(Control.BEGIN)] if extra_bos else []
        self.parts = PARTS
        self.unused, self.weighs, self.sees = _unused(model), True, "vision"
        self.groups = modules_by_part(model, PARTS, lambda name, module: _wrappable(name, module, self.unused))

    def encode(self, prepared: Sequence[Picture], turns: Sequence[Turn]) -> Encoded:
        """Return the turns about one sample as packed rows."""
        pictures = tuple(prepared)
        original = self.module.sizes.rope.original
        sequences: dict[bool, list[tuple[list[int], list[int]]]] = {}
        weights: dict[bool, list[float]] = {}
        for turn in turns:
            pieces = chat(turn.question.messages)
            prompt = [*self._bos, *self._tokenizer.encode(pieces, [picture.tokens for picture in pictures])]
            answer = self._answer(turn.answer.response)
            long = len(prompt) + len(answer) > original
            sequences.setdefault(long, []).append((prompt, answer))
            weights.setdefault(long, []).extend([turn.weight] * len(answer))
        packed = (replace(pack(pairs, pictures, long), weights=weights[long]) for long, pairs in sequences.items())
        return Encoded(tuple(packed))

    def _answer(self, text: str) -> list[int]:
        """Return what is learnt: the answer, the end of the turn, the end of the text; as published."""
        control, plain = self._tokenizer.control, self._tokenizer.text
        return [*plain(text), control(Control.END), *plain("\n"), control(Control.ENDOFTEXT)]

    def collate(self, examples: Sequence[Encoded]) -> dict[str, Any]:
        """Return the arguments of the module's forward pass."""
        rows = [row for example in examples for row in example.rows]
        labels = [label for row in rows for label in row.labels]
        weights = [weight for row in rows for weight in row.weights]
        weighted = {"weights": torch.tensor(weights)} if any(weight != 1 for weight in weights) else {}
        return {"rows": Rows.of(rows), "labels": torch.tensor(labels, dtype=torch.long), **weighted}

    def activations(self, example: Encoded, width: int, checkpointing: bool) -> int:
        """Estimate the bytes of activations of the decoder and the vision tower."""
        text, vision = self.module.sizes.text, self.module.sizes.vision
        crops = {p.digest: len(p.distinct) for row in example.rows for p in row.pictures}
        seen = sum(crops.values()) * vision.positions * vision.hidden_size * (vision.num_hidden_layers - 1)
        return activation_bytes(example.tokens * text.hidden_size * text.num_hidden_layers + seen, width, checkpointing)

    def keep(self, store: TensorStore) -> None:
        """Keep what the frozen vision tower makes of images."""
        self.module.model.vision_embed_tokens.keep(store)

    def save(self, folder: Path) -> None:
        """Write the whole model as a checkpoint, in the layout and the precision of the one it came from."""
        self._checkpoint.write(folder, self.module.state_dict())

    def extras(self) -> Mapping[str, str]:
        """Return what the published layout has beside an adapter: the base's config, with the hub's code named."""
        config = read_json(self._checkpoint.folder / "config.json", FOREIGN)
        config["auto_map"] = {name: f"{HUB}--{code}" for name, code in AUTO_MAP.items()}
        return {"config.json": json.dumps(config, indent=2) + "\n"}


def _unused(model: Phi3VForCausalLM) -> tuple[str, ...]:
    """Return the names of the modules that no answer depends on: the vision tower's last layer and norm."""
    last = len(model.model.vision_embed_tokens.img_processor.vision_model.encoder.layers) - 1
    tower = f"{VISION}vision_model."
    return (f"{tower}encoder.layers.{last}", f"{tower}post_layernorm")


def _wrappable(name: str, module: nn.Module, unused: Sequence[str]) -> bool:
    """Whether LoRA may wrap a module: linear layers and learnt positions; as published, no token embedding."""
    if not isinstance(module, nn.Linear | nn.Embedding) or name in ("lm_head", "model.embed_tokens"):
        return False
    return not any(name == other or name.startswith(f"{other}.") for other in unused)
