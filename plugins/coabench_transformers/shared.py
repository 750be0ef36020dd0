"""Prompts that begin alike: what the model makes of the images of a batch is kept, and every question continues it.

A prompt is cut behind its last image token. What stands before goes through the model once, into a key-value cache
(`coabench_transformers.beginnings`); every question runs its own tokens on a copy of it, with all its options, or token
by token.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from coabench.support.option_tree import OptionTree
from coabench_transformers.chat import Inputs

LENGTHS_MATTER = ("dynamic", "longrope")
"""Kinds of rotary embeddings by which a token's key depends on how long the prompt is."""
EXEMPLARS = "exemplars"
"""What `Sharing.agrees` calls prompts whose exemplars went through the model before the rest."""


class Sharing:
    """Whether prompts of a model may be continued, and how.

    That is found out: its forward pass must take a cache, positions and a mask; the cache must be of layers that grow
    by a token for a token; positions must be those of a text. Whatever else a model may do to its prompts (let all of
    them see each other, say) is seen when the first answers are compared with those of whole prompts; `agrees` keeps
    what came out.

    Args:
        model: of transformers, with its weights.
    """

    def __init__(self, model: Any) -> None:
        self._text = model.config.get_text_config()
        taken = inspect.signature(model.forward).parameters
        self.cache_name = "cache" if "cache" in taken else "past_key_values"
        self.image_token = getattr(model.config, "image_token_id", None)
        layers = self._layers()
        self.possible = (
            isinstance(self.image_token, int)
            and {self.cache_name, "position_ids", "logits_to_keep"} <= {*taken}
            and not hasattr(getattr(model, "model", model), "get_rope_index")  # its positions are not those of a text
            and not any(kind in LENGTHS_MATTER for kind in _values(getattr(self._text, "rope_parameters", None)))
            and bool(layers)
            and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
        )
        windows = [layer.sliding_window for layer in layers if isinstance(layer, DynamicSlidingWindowLayer)]
        self._window: int | None = min(windows, default=None)
        self.agrees: dict[str, bool] = {}

    def cache(self) -> DynamicCache:
        """Return an empty cache, with the layers that the model's config names."""
        return DynamicCache(config=self._text)

    def _layers(self) -> list[Any]:
        try:
            return list(self.cache().layers)
        except Exception:  # hundreds of configs, some of which describe no cache
            return []

    def fits(self, mode: str, inputs: Inputs, longest: int) -> bool:
        """Whether prompts may be continued up to *longest* tokens: the cache must hold them all."""
        if not self.possible or not self.agrees.get(mode, True) or "cross_attention_mask" in inputs:
            return False
        last = inputs["input_ids"].gather(1, inputs["attention_mask"].sum(dim=1, keepdim=True) - 1)
        return (self._window is None or longest < self._window) and self.image_token not in last.flatten().tolist()

    def lets_exemplars_go_alone(self, inputs: Inputs) -> bool:
        """Whether exemplars may go through the model before the rest of their prompts.

        Not where further tensors describe the tokens of a prompt: by them, tokens of an image see each other (Gemma 3),
        but only in a model's first pass.
        """
        shape = inputs["attention_mask"].shape
        described = {name for name, value in inputs.items() if value.shape == shape}
        return self.agrees.get(EXEMPLARS, True) and described == {"input_ids", "attention_mask"}


class Continued:
    """Prompts that are being continued.

    Args:
        cache: what the model made of the beginning of each; written to.
        held: how many tokens of each row that is.
    """

    def __init__(self, model: Any, sharing: Sharing, cache: DynamicCache, rows: int, held: int) -> None:
        self._model, self._sharing, self._cache = model, sharing, cache
        self._seen = torch.ones(rows, held, dtype=torch.bool, device=model.device)

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows."""
        chosen = torch.tensor(places, device=self._seen.device)
        self._cache.batch_select_indices(chosen)
        self._seen = self._seen[chosen]

    def advance(self, chunks: Sequence[Sequence[int]], trees: Sequence[OptionTree] = ()) -> Tensor:
        """Run new tokens of every row, which are padded on the left to a common width.

        Args:
            chunks: the new tokens of each; may be empty (the row's logits then mean nothing).
            trees: options that follow the tokens of each row, all of them at once.

        Returns:
            float32 logits, (rows, 1 + size of the largest tree, vocabulary), those of a row at the right: after the
            last token of its chunk, then after each token of its tree.
        """
        device, before = self._seen.device, self._seen.sum(dim=1)
        whole = [[*chunk, *(trees[row].tokens if trees else ())] for row, chunk in enumerate(chunks)]
        width = max(map(len, whole))
        new = torch.tensor([[False] * (width - len(own)) + [True] * len(own) for own in whole], device=device)
        tokens = torch.tensor([[0] * (width - len(own)) + own for own in whole], device=device)
        positions = (before[:, None] + new.cumsum(dim=1) - 1).clamp(min=0)
        among = torch.ones(width, width, dtype=torch.bool, device=device).tril() & new[:, None, :]
        for row, tree in enumerate(trees):
            if size := len(tree.tokens):
                first = int(before[row]) + len(chunks[row])
                positions[row, -size:] = first + torch.tensor(tree.depths, device=device)
                among[row, -size:, -size:] = tree.visible().to(device)
        visible = torch.cat([self._seen[:, None, :].expand(-1, width, -1), among], dim=2)
        kind = self._model.dtype
        mask = torch.zeros(visible.shape, dtype=kind, device=device).masked_fill(~visible, torch.finfo(kind).min)
        keep = 1 + max((len(tree.tokens) for tree in trees), default=0)
        logits: Tensor = self._model(
            input_ids=tokens, attention_mask=mask[:, None], position_ids=positions, use_cache=True,
            logits_to_keep=keep, **{self._sharing.cache_name: self._cache},
        ).logits  # fmt: skip
        self._seen = torch.cat([self._seen, new], dim=1)
        return logits.float()


def _values(nested: Any) -> Iterator[Any]:
    """Return what stands in a dictionary and in those within it."""
    for value in nested.values() if isinstance(nested, dict) else ():
        yield from _values(value) if isinstance(value, dict) else (value,)
