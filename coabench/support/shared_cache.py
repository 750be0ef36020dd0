"""What a model computed once and many samples share, bounded in bytes: images, and beginnings of prompts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from coabench.base.environment import memory_gib

GIB = 2**30
CPU_BUDGET = 2 * GIB
CPU_SHARE, CUDA_SHARE = 0.125, 0.15
"""How much is kept: on a CPU so many bytes, but at most this share of the memory; on a GPU this share of its own."""

Value = TypeVar("Value")
Image = TypeVar("Image")
Beginning = TypeVar("Beginning")


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

    def takes(self, key: Hashable, size: int) -> bool:
        """Whether `put` would keep it: it is not too large, and not held yet."""
        return size <= self._budget and key not in self._held

    def put(self, key: Hashable, value: Value, size: int) -> None:
        if not self.takes(key, size):
            return
        self._held[key] = value, size
        self._bytes += size
        while self._bytes > self._budget:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped


@dataclass(frozen=True)
class SharedCache(Generic[Image, Beginning]):
    """What the viewings of one model share; by default nothing is kept.

    Attributes:
        images: what was made of images.
        prefixes: what was made of the beginnings of prompts.
    """

    images: LruCache[Image] = field(default_factory=lambda: LruCache(0))
    prefixes: LruCache[Beginning] = field(default_factory=lambda: LruCache(0))

    @classmethod
    def on(cls, device: torch.device) -> SharedCache[Image, Beginning]:
        """Return an empty one, with as many bytes as the device can spare."""
        if device.type == "cuda":
            budget = int(CUDA_SHARE * torch.cuda.get_device_properties(device).total_memory)
        else:
            budget = min(CPU_BUDGET, int(CPU_SHARE * GIB * (memory_gib() or CPU_BUDGET / GIB)))
        return cls(LruCache(budget // 4), LruCache(budget - budget // 4))
