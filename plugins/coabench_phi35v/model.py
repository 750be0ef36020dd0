"""Phi-3.5-vision: the two towers together. Parameters are named as in the checkpoint, so nothing is renamed.

Source: ``modeling_phi3_v.py`` of the published checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from coabench.support.trainee import answer_loss
from coabench_phi35v.cache import SlotCache
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.decoder import DecoderLayer, Rotary
from coabench_phi35v.layers import Attention, Layer, Mask, embedding
from coabench_phi35v.packing import Rows
from coabench_phi35v.vision import ImageEmbedding


class Phi3VModel(nn.Module):
    """Token and image embeddings, decoder layers and the final norm."""

    def __init__(self, config: ModelConfig, how: Attention) -> None:
        super().__init__()
        text = config.text
        self.embed_tokens = embedding(text.vocab_size, text.hidden_size)
        self.vision_embed_tokens = ImageEmbedding(config, how)
        self.layers = nn.ModuleList(DecoderLayer(text, index, how) for index in range(text.num_hidden_layers))
        self.norm = nn.RMSNorm(text.hidden_size, eps=text.rms_norm_eps)
        self.rotary = Rotary(config.rope, text.head_size)

    def forward(
        self,
        embeddings: Tensor,
        positions: Tensor,
        long: Sequence[bool],
        mask: Mask,
        cache: SlotCache | None = None,
    ) -> Tensor:
        """Run the decoder.

        Args:
            embeddings: (rows, width, hidden).
            positions: long, (rows, width).
            long: whether each row takes the long rope factors; of a single row, whether each of its tokens does.
            mask: bool, (rows, 1, width, keys): which key each query may see; or the sequences of a single row.
            cache: where keys and values are kept; None to keep none.

        Returns:
            The normed hidden states, (rows, width, hidden).
        """
        added = _added(mask, embeddings.dtype)  # one for all layers
        rotation = self.rotary(positions, long, embeddings.dtype)
        states = embeddings
        for layer in self.layers:
            states = layer.run(states, rotation, added, cache)  # type: ignore[operator]  # see vision.py
        normed: Tensor = self.norm(states)
        return normed


def _added(mask: Mask, dtype: torch.dtype) -> Mask:
    """Return masks of booleans in the form that attention adds: 0 and minus infinity."""

    def filled(own: Tensor) -> Tensor:
        return torch.zeros_like(own, dtype=dtype).masked_fill_(~own, float("-inf"))

    if isinstance(mask, Tensor):
        return filled(mask)
    return [span if span.mask is None else replace(span, mask=filled(span.mask)) for span in mask]


class Phi3VForCausalLM(nn.Module):
    """The whole model, as the checkpoint names it: ``model.*`` and ``lm_head``."""

    accepts_loss_kwargs = True
    """Tells transformers' Trainer that `forward` takes *num_items_in_batch*."""

    def __init__(self, config: ModelConfig, attention: Attention = "sdpa") -> None:
        super().__init__()
        self.sizes = config  # not `config`: transformers' Trainer writes into what it finds under that name
        self.model = Phi3VModel(config, attention)
        self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)

    @classmethod
    def blueprint(cls, config: ModelConfig, attention: Attention = "sdpa") -> Phi3VForCausalLM:
        """Build the modules without memory for their parameters; `fill` brings the weights."""
        with torch.device("meta"):
            return cls(config, attention)

    def fill(self, weights: dict[str, Tensor]) -> None:
        """Take *weights* as the parameters (not copied); every parameter must be there, and nothing else."""
        self.load_state_dict(weights, strict=True, assign=True)
        self.eval().requires_grad_(False)

    @property
    def projections(self) -> list[str]:
        """The names of the linear layers of the language model, those that quantisation concerns; not the head."""
        modules = self.model.layers.named_modules(prefix="model.layers")
        return [name for name, module in modules if isinstance(module, nn.Linear)]

    @property
    def linear_layers(self) -> list[str]:
        """The names of all linear layers but the head: of the language model, the projector and the vision tower."""
        modules = self.model.named_modules(prefix="model")
        return [name for name, module in modules if isinstance(module, nn.Linear)]

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.lm_head.weight.device

    def embed(self, rows: Sequence[Sequence[int]], images: Sequence[Mapping[int, Tensor]]) -> Tensor:
        """Return the embeddings of some rows, padded on the left: (rows, width, hidden).

        Args:
            rows: token ids; an image *i* stands as a whole run of ``-1 - i``.
            images: the tokens of each row's images, by index.
        """
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], dtype=torch.long, device=self.device)
        embedded: Tensor = self.model.embed_tokens(ids.clamp(min=0))
        shown = [
            own[-1 - token] for row, own in zip(rows, images, strict=True) for token, _ in groupby(row) if token < 0
        ]
        if shown:
            embedded = embedded.masked_scatter((ids < 0)[..., None], torch.cat(shown).to(embedded.dtype))
        return embedded

    def forward(
        self,
        rows: Rows,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
        weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the training loss; logits are computed only where there is a label.

        Args:
            rows: packed chats, see `coabench_phi35v.packing`.
            labels: long, (number of labels,): the token expected after each of ``rows.states``; -100 for none.
            num_items_in_batch: what the summed loss is divided by; the number of labels by default.
            weights: float32, shaped as *labels*: what the loss of each is multiplied by; 1 by default.

        Returns:
            ``{"loss": a scalar}``: cross-entropy in float32, in nats.
        """
        pictures = {picture.digest: picture for picture in rows.pictures}
        tokens = self.model.vision_embed_tokens(list(pictures.values()))
        encoded = dict(zip(pictures, tokens, strict=True))
        embedded = self.embed([rows.tokens], [{index: encoded[p.digest] for index, p in enumerate(rows.pictures)}])
        positions = torch.tensor([rows.positions], device=self.device)
        states = self.model(embedded, positions, rows.long, rows.spans(self.device))
        logits = self.lm_head(states[0, rows.states.to(self.device)])
        return {"loss": answer_loss(logits, labels, num_items_in_batch, weights)}

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Mapping[str, Any] | None = None) -> None:
        """Compute activations of both towers' layers again in the backward pass instead of keeping them."""
        run = partial(checkpoint, **{"use_reentrant": False, **(gradient_checkpointing_kwargs or {})})
        for module in self.modules():
            if isinstance(module, Layer):
                module.recompute = run
