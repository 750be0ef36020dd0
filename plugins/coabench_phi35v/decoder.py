"""The language model's layers: RMS norm, rotary positions, attention and a gated MLP, their projections fused.

Source: ``modeling_phi3_v.py`` of the published checkpoint; Phi-3 (arXiv 2404.14219). Parameters are named as in the
checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coabench_phi35v.activations import swiglu
from coabench_phi35v.cache import SlotCache
from coabench_phi35v.config import Rope, TextConfig
from coabench_phi35v.layers import Attention, Layer, Mask, attend, attend_apart


class Rotary:
    """cos and sin of the positions, with the short or the long factors row by row, or token by token.

    The published model chooses the factors for a whole batch; a row's answer must not depend on its neighbours.
    """

    def __init__(self, rope: Rope, head_size: int) -> None:
        exponents = torch.arange(0, head_size, 2, dtype=torch.int64, device="cpu").float() / head_size
        base = rope.theta**exponents
        factors = torch.tensor([rope.short, rope.long], dtype=torch.float32, device="cpu")
        self._frequencies = 1.0 / (factors * base)
        scale = rope.longest / rope.original
        self.attention_factor = math.sqrt(1 + math.log(scale) / math.log(rope.original)) if scale > 1 else 1.0

    def __call__(self, positions: Tensor, long: Sequence[bool], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cos and sin, (rows, width, half the head size), for positions (rows, width).

        Args:
            long: whether each row takes the long factors; of a single row, whether each of its tokens does.
        """
        chosen = torch.tensor(long, dtype=torch.long).view(len(positions), -1)
        frequencies = self._frequencies[chosen].to(positions.device)
        angles = positions[..., None].float() * frequencies
        return (angles.cos() * self.attention_factor).to(dtype), (angles.sin() * self.attention_factor).to(dtype)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channel *i* of every head with channel *i* + half the head size: (rows, width, heads, head size)."""
    cos, sin = cos[:, :, None], sin[:, :, None]
    left, right = heads.chunk(2, dim=-1)
    return torch.cat([torch.addcmul(left * cos, right, sin, value=-1), torch.addcmul(right * cos, left, sin)], dim=-1)


class DecoderAttention(nn.Module):
    """Every token reads those that the mask lets it see; queries, keys and values come from one projection."""

    def __init__(self, config: TextConfig, index: int, how: Attention) -> None:
        super().__init__()
        self._index, self._how = index, how
        self._heads, self._key_heads = config.num_attention_heads, config.key_heads
        self.qkv_proj = nn.Linear(
            config.hidden_size, (self._heads + 2 * self._key_heads) * config.head_size, bias=False
        )
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, states: Tensor, rotation: tuple[Tensor, Tensor], mask: Mask, cache: SlotCache | None) -> Tensor:
        fused = self.qkv_proj(states).unflatten(-1, (self._heads + 2 * self._key_heads, -1))
        turned, values = torch.split(fused, [self._heads + self._key_heads, self._key_heads], dim=2)
        queries, keys = torch.split(rotate(turned, *rotation), [self._heads, self._key_heads], dim=2)
        if not isinstance(mask, Tensor):
            apart: Tensor = self.o_proj(attend_apart(queries, keys, values, mask, self._how))
            return apart
        keys, values = keys.transpose(1, 2), values.transpose(1, 2)
        if cache is not None:
            keys, values = cache.update(keys, values, self._index)
        read: Tensor = self.o_proj(attend(queries, keys, values, mask, self._how))
        return read


class DecoderMLP(nn.Module):
    """SwiGLU; gate and input come from one projection, the gate first."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        projected: Tensor = self.down_proj(swiglu(self.gate_up_proj(states)))
        return projected


class DecoderLayer(Layer):
    """Attention and MLP, each behind a norm."""

    def __init__(self, config: TextConfig, index: int, how: Attention) -> None:
        super().__init__()
        self.self_attn = DecoderAttention(config, index, how)
        self.mlp = DecoderMLP(config)
        self.input_layernorm, self.post_attention_layernorm = (
            nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps) for _ in range(2)
        )

    def forward(self, states: Tensor, rotation: tuple[Tensor, Tensor], mask: Mask, cache: SlotCache | None) -> Tensor:
        states = states + self.self_attn(self.input_layernorm(states), rotation, mask, cache)
        summed: Tensor = states + self.mlp(self.post_attention_layernorm(states))
        return summed
