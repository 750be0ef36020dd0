"""The modules of Phi-3.5-vision. Their parameters are named as in the checkpoint, so loading and PEFT need no renames.

Source: ``modeling_phi3_v.py`` of the published checkpoint, rebuilt from transformers' Phi-3 decoder layers and CLIP
tower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import CLIPVisionModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.phi3.modeling_phi3 import Phi3DecoderLayer, Phi3RMSNorm

from coabench_phi35v.cache import SlotCache
from coabench_phi35v.config import ModelConfig, Rope
from coabench_phi35v.images import Picture
from coabench_phi35v.packing import Rows

AT_ONCE = {"cuda": 1024 * 2**20, "cpu": 20 * 2**20}
"""How large the widest activations of the vision tower may get, in bytes, by device; bounds its memory whatever the
batch. On a CPU larger ones leave the caches, and beyond 32 MiB glibc maps every one anew: 8 crops at a time in bfloat16
took 1.32 s an image where 4 took 0.73 s (benchmarks/README.md)."""

CACHE = "cache" if "cache" in signature(Phi3DecoderLayer.forward).parameters else "past_key_values"
"""What a decoder layer calls the cache that it is given: transformers 5.24 has renamed it."""


class ImageProcessor(nn.Module):
    """The CLIP tower, one level down as in the checkpoint (transformers 5 dropped that level)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.vision_model = CLIPVisionModel(config.vision)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the patches after the last layer but one, (crops, 576, width); the last layer is not run."""
        tower = self.vision_model
        states: Tensor = tower.pre_layrnorm(tower.embeddings(crops))
        for layer in tower.encoder.layers[:-1]:
            states = layer(states, attention_mask=None)
        return states[:, 1:]


class ImageEmbedding(nn.Module):
    """Crops -> tokens of the language model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        merged, hidden = 4 * config.image_dim, config.text.hidden_size
        self._width = config.vision.intermediate_size
        self.img_processor = ImageProcessor(config)
        self.glb_GN = nn.Parameter(torch.zeros(1, 1, merged))
        self.sub_GN = nn.Parameter(torch.zeros(1, 1, 1, merged))
        self.img_projection = nn.Sequential(nn.Linear(merged, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, pictures: Sequence[Picture]) -> list[Tensor]:
        """Return the tokens of each picture, (picture.tokens, hidden)."""
        weight = self.glb_GN
        # Chunks are moved one by one: a large batch of crops need not fit the device at once.
        widest = (2 * pictures[0].cells) ** 2 * self._width * weight.element_size()
        at_once = max(1, AT_ONCE["cpu" if weight.device.type == "cpu" else "cuda"] // widest)
        crops = torch.split(torch.cat([picture.distinct for picture in pictures]), at_once)
        patches = torch.cat([self._merge(self.img_processor(c.to(weight.device, weight.dtype))) for c in crops])
        per_picture = torch.split(patches, [len(picture.distinct) for picture in pictures])
        arranged = [self._arrange(p, picture) for p, picture in zip(per_picture, pictures, strict=True)]
        tokens: Tensor = self.img_projection(torch.cat(arranged))
        return list(torch.split(tokens, [picture.tokens for picture in pictures]))

    @staticmethod
    def _merge(patches: Tensor) -> Tensor:
        """Merge 2 x 2 patches, channels ordered (dy, dx, c): (n, 576, c) -> (n, 12, 12, 4 c)."""
        n, count, c = patches.shape
        cells = math.isqrt(count) // 2
        return patches.reshape(n, cells, 2, cells, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, cells, cells, 4 * c)

    def _arrange(self, crops: Tensor, picture: Picture) -> Tensor:
        """Order one picture's patches: local rows, a separator, global rows; every row ends in a separator."""
        cells, width = crops.shape[-2:]
        local = crops[-picture.rows * picture.columns :].reshape(picture.rows, picture.columns, cells, cells, width)
        local = local.permute(0, 2, 1, 3, 4).reshape(picture.rows * cells, picture.columns * cells, width)
        rows = [
            torch.cat([grid, self.sub_GN[0].expand(len(grid), 1, width)], dim=1).reshape(-1, width)
            for grid in (local, crops[0])
        ]
        return torch.cat([rows[0], self.glb_GN[0], rows[1]])


class Rotary:
    """cos and sin of the positions, with the short or the long factors row by row.

    transformers chooses the factors for a whole batch; a row's answer must not depend on its neighbours.
    """

    def __init__(self, rope: Rope, head_size: int) -> None:
        exponents = torch.arange(0, head_size, 2, dtype=torch.int64, device="cpu").float() / head_size
        base = rope.theta**exponents
        factors = torch.tensor([rope.short, rope.long], dtype=torch.float32, device="cpu")
        self._frequencies = 1.0 / (factors * base)
        scale = rope.longest / rope.original
        self.attention_factor = math.sqrt(1 + math.log(scale) / math.log(rope.original)) if scale > 1 else 1.0

    def __call__(self, positions: Tensor, long: Sequence[bool], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cos and sin, (rows, width, head size), for positions (rows, width)."""
        frequencies = self._frequencies[torch.tensor(long, dtype=torch.long)].to(positions.device)
        angles = positions[..., None].float() * frequencies[:, None]
        angles = torch.cat([angles, angles], dim=-1)
        return (angles.cos() * self.attention_factor).to(dtype), (angles.sin() * self.attention_factor).to(dtype)


class Phi3VModel(nn.Module):
    """Token and image embeddings, decoder layers and the final norm."""

    def __init__(self, config: ModelConfig, attention: str) -> None:
        super().__init__()
        text = config.text
        self._adds_mask = attention == "eager"
        self.embed_tokens = nn.Embedding(text.vocab_size, text.hidden_size)
        self.vision_embed_tokens = ImageEmbedding(config)
        self.layers = nn.ModuleList(Phi3DecoderLayer(text, index) for index in range(text.num_hidden_layers))
        self.norm = Phi3RMSNorm(text.hidden_size, eps=text.rms_norm_eps)
        self.rotary = Rotary(config.rope, text.hidden_size // text.num_attention_heads)

    def forward(
        self,
        embeddings: Tensor,
        positions: Tensor,
        long: Sequence[bool],
        mask: Tensor,
        cache: SlotCache | None = None,
    ) -> Tensor:
        """Run the decoder.

        Args:
            embeddings: (rows, width, hidden).
            positions: long, (rows, width).
            long: whether each row takes the long rope factors.
            mask: bool, (rows, 1, width, keys): which key each query may see.
            cache: where keys and values are kept; None to keep none.

        Returns:
            The normed hidden states, (rows, width, hidden).
        """
        if self._adds_mask:  # SDPA takes it as it is
            zeros = torch.zeros_like(mask, dtype=embeddings.dtype)
            mask = zeros.masked_fill(~mask, torch.finfo(embeddings.dtype).min)
        rotation = self.rotary(positions, long, embeddings.dtype)
        states = embeddings
        for layer in self.layers:
            states = layer(
                states,
                attention_mask=mask,
                position_ids=positions,
                position_embeddings=rotation,
                **{CACHE: cache},
            )
        normed: Tensor = self.norm(states)
        return normed


class Phi3VForCausalLM(nn.Module):
    """The whole model, as the checkpoint names it: ``model.*`` and ``lm_head``."""

    accepts_loss_kwargs = True
    """Tells transformers' Trainer that `forward` takes *num_items_in_batch*."""

    def __init__(self, config: ModelConfig, attention: str = "sdpa") -> None:
        super().__init__()
        for part in (config.text, config.vision):
            part._attn_implementation = attention
        self.sizes = config  # not `config`: transformers' Trainer writes into what it finds under that name
        self.model = Phi3VModel(config, attention)
        self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)

    @classmethod
    def blueprint(cls, config: ModelConfig, attention: str = "sdpa") -> Phi3VForCausalLM:
        """Build the modules without memory for their parameters; `fill` brings the weights."""
        with torch.device("meta"):
            return cls(config, attention)

    def fill(self, weights: dict[str, Tensor]) -> None:
        """Take *weights* as the parameters (not copied); every parameter must be there, and nothing else."""
        self.load_state_dict(weights, strict=True, assign=True)
        embeddings: Any = self.model.vision_embed_tokens.img_processor.vision_model.embeddings
        device = embeddings.class_embedding.device
        # The only buffer that is no part of a checkpoint.
        embeddings.position_ids = torch.arange(embeddings.num_positions, device=device)[None]
        self.eval().requires_grad_(False)

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

    def forward(self, rows: Rows, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> dict[str, Tensor]:
        """Return the training loss; logits are computed only where there is a label.

        Args:
            rows: packed chats, see `coabench_phi35v.packing`.
            labels: long, (number of labels,): the token expected after each of ``rows.states``; -100 for none.
            num_items_in_batch: what the summed loss is divided by; the number of labels by default.

        Returns:
            ``{"loss": a scalar}``: cross-entropy in float32, in nats.
        """
        pictures = {picture.digest: picture for row in rows.pictures for picture in row}
        tokens = self.model.vision_embed_tokens(list(pictures.values()))
        encoded = dict(zip(pictures, tokens, strict=True))
        images = [{index: encoded[p.digest] for index, p in enumerate(row)} for row in rows.pictures]
        positions, mask = rows.layout(self.device)
        states = self.model(self.embed(rows.tokens, images), positions, rows.long, mask)
        at, column = rows.states.to(self.device)
        logits = self.lm_head(states[at, column]).float()
        total = nn.functional.cross_entropy(logits, labels.to(self.device), reduction="sum")
        return {"loss": total / (labels.ne(-100).sum() if num_items_in_batch is None else num_items_in_batch)}

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Mapping[str, Any] | None = None) -> None:
        """Compute activations of both towers' layers again in the backward pass instead of keeping them."""
        run = partial(checkpoint, **{"use_reentrant": False, **(gradient_checkpointing_kwargs or {})})
        for module in self.modules():
            if isinstance(module, GradientCheckpointingLayer):
                module._gradient_checkpointing_func = run  # type: ignore[assignment]
                module.gradient_checkpointing = True
