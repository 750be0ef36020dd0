"""The CLIP tower and the projector: crops -> tokens of the language model.

Source: ``image_embedding_phi3_v.py`` of the published checkpoint; CLIP (arXiv 2103.00020). Parameters are named as in
the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coabench.support.numerics import exact_convolutions
from coabench_phi35v.activations import quick_gelu
from coabench_phi35v.config import ModelConfig, VisionConfig
from coabench_phi35v.images import Picture
from coabench_phi35v.layers import Attention, Layer, attend, embedding

AT_ONCE = {"cuda": 1024 * 2**20, "cpu": 20 * 2**20}
"""How large the widest activations of the vision tower may get, in bytes, by device; bounds its memory whatever the
batch. On a CPU larger ones leave the caches, and beyond 32 MiB glibc maps every one anew: 8 crops at a time in bfloat16
took 1.32 s an image where 4 took 0.73 s (benchmarks/README.md)."""


class VisionEmbeddings(nn.Module):
    """Patches, the class token before them, and their positions."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding = nn.Conv2d(config.num_channels, width, patch, stride=patch, bias=False)
        self.position_embedding = embedding(config.positions, width)

    def forward(self, crops: Tensor) -> Tensor:
        """Embed (crops, channels, side, side): (crops, positions, width)."""
        with exact_convolutions(crops):
            patches = self.patch_embedding(crops).flatten(2).transpose(1, 2)
        # Looked up rather than added whole: an adapter may wrap the embedding.
        positions: Tensor = self.position_embedding(torch.arange(patches.shape[1] + 1, device=crops.device))
        return torch.cat([self.class_embedding.expand(len(crops), 1, -1), patches], dim=1) + positions


class VisionAttention(nn.Module):
    """Every token of a crop reads every other."""

    def __init__(self, config: VisionConfig, how: Attention) -> None:
        super().__init__()
        width = config.hidden_size
        self._heads, self._how = config.num_attention_heads, how
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, states: Tensor) -> Tensor:
        queries, keys, values = (
            part(states).unflatten(-1, (self._heads, -1)) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        read: Tensor = self.out_proj(attend(queries, keys.transpose(1, 2), values.transpose(1, 2), None, self._how))
        return read


class VisionMLP(nn.Module):
    """Two linear layers and, between them, GELU as CLIP approximates it."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        projected: Tensor = self.fc2(quick_gelu(self.fc1(states)))
        return projected


class VisionLayer(Layer):
    """Attention and MLP, each behind a norm."""

    def __init__(self, config: VisionConfig, how: Attention) -> None:
        super().__init__()
        self.self_attn = VisionAttention(config, how)
        self.layer_norm1, self.layer_norm2 = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) for _ in range(2)
        )
        self.mlp = VisionMLP(config)

    def forward(self, states: Tensor) -> Tensor:
        states = states + self.self_attn(self.layer_norm1(states))
        summed: Tensor = states + self.mlp(self.layer_norm2(states))
        return summed


class VisionEncoder(nn.Module):
    """The layers, as the checkpoint nests them."""

    def __init__(self, config: VisionConfig, how: Attention) -> None:
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config, how) for _ in range(config.num_hidden_layers))


class VisionTower(nn.Module):
    """The CLIP tower, with the last layer and the norm after it, which the model does not use."""

    def __init__(self, config: VisionConfig, how: Attention) -> None:
        super().__init__()
        self.embeddings = VisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)  # misspelt in the checkpoint
        self.encoder = VisionEncoder(config, how)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class ImageProcessor(nn.Module):
    """The tower, one level down as in the checkpoint."""

    def __init__(self, config: VisionConfig, how: Attention) -> None:
        super().__init__()
        self.vision_model = VisionTower(config, how)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the patches after the last layer but one, (crops, 576, width); the last layer is not run."""
        tower = self.vision_model
        states: Tensor = tower.pre_layrnorm(tower.embeddings(crops))
        for layer in tower.encoder.layers[:-1]:
            states = layer.run(states)  # type: ignore[operator]  # a list of modules does not say which
        return states[:, 1:]


class ImageEmbedding(nn.Module):
    """Crops -> tokens of the language model."""

    def __init__(self, config: ModelConfig, how: Attention) -> None:
        super().__init__()
        merged, hidden = 4 * config.image_dim, config.text.hidden_size
        self._width = config.vision.intermediate_size
        self.img_processor = ImageProcessor(config.vision, how)
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
