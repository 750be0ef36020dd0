"""What is computed once for many samples: exemplar images, and the beginning of a chat that several samples share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

GIB = 2**30
CPU_BUDGET = 2 * GIB
CUDA_SHARE = 0.15
"""How much is kept: on a CPU so many bytes, on a GPU this share of its memory."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Prefix:
    """The beginning of a chat that went through the decoder.

    Attributes:
        tokens: its token ids.
        long: whether it was rotated by the long factors.
        keys, values: per layer, (heads, tokens, head size).
    """

    tokens: list[int]
    long: bool
    keys: list[Tensor]
    values: list[Tensor]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))


class LruCache(Generic[Value]):
    """Keeps the values last used, up to a number of bytes; one that is larger is not kept."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Value | None:
        entry = self._held.get(key)
        if entry is None:
            return None
        self._held.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        if size > self._budget or key in self._held:
            return
        self._held[key] = value, size
        self._bytes += size
        while self._bytes > self._budget:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped


@dataclass(frozen=True)
class SharedCache:
    """What the viewings of one model share.

    Attributes:
        images: the tokens of exemplar images, by digest.
        prefixes: by token ids, digests of the images in them, and rope factors.
    """

    images: LruCache[Tensor] = field(default_factory=lambda: LruCache(0))
    prefixes: LruCache[Prefix] = field(default_factory=lambda: LruCache(0))

    @classmethod
    def on(cls, device: torch.device) -> SharedCache:
        """Return an empty one, with as many bytes as the device can spare."""
        budget = CPU_BUDGET
        if device.type == "cuda":
            budget = int(CUDA_SHARE * torch.cuda.get_device_properties(device).total_memory)
        return cls(LruCache(budget // 4), LruCache(budget - budget // 4))
