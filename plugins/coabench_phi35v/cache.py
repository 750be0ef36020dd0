"""Keys and values of a batch whose rows grow, shrink and begin at different slots.

Every row writes its tokens into *slots*, from left to right. A forward pass pads its new tokens on the left, so that
the last token of every row stands in the last slot; the slots of the padding stay empty. A slot that a row does not
use (padding, or a token taken back) has position -1 and is never attended to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from coabench.support.shared_cache import SharedCache

GROWTH = 64
"""Slots added beyond those asked for, so that decoding does not move the cache at every token."""


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


Kept = SharedCache[Tensor, Prefix]
"""The tokens of exemplar images, by digest; prefixes, by token ids, digests of the images in them, and rope factors."""


class SlotCache:
    """The key-value cache of *rows* sequences; every decoder layer writes into it in place.

    Attributes:
        tokens: the ids that each row holds.
        slots: the slot of each of them, ascending.
        long: whether the row's keys were rotated by the long factors.
    """

    def __init__(self, rows: int, layers: int, device: torch.device) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self.slots: list[list[int]] = [[] for _ in range(rows)]
        self.long = [False] * rows
        self._positions = torch.full((rows, 0), -1, dtype=torch.long, device=device)
        self._keys: list[Tensor | None] = [None] * layers
        self._values: list[Tensor | None] = [None] * layers
        self._rows: Tensor | slice = slice(None)
        self._window = slice(0, 0)

    def keep(self, row: int, length: int) -> None:
        """Take back all but the first *length* tokens of a row."""
        if length < len(self.tokens[row]):
            first = self.slots[row][length]
            self._positions[row, first:] = -1
            del self.tokens[row][length:], self.slots[row][length:]

    def prefix(self, row: int) -> Prefix:
        """Return what a row holds; it must have been written in one piece."""
        stop = len(self.tokens[row])
        assert self.slots[row] == list(range(stop))
        keys, values = (
            [held[row, :, :stop].clone() for held in store if held is not None] for store in (self._keys, self._values)
        )
        return Prefix(list(self.tokens[row]), self.long[row], keys, values)

    def load(self, row: int, prefix: Prefix) -> None:
        """Let an empty row begin with a prefix."""
        stop = len(prefix.tokens)
        self.tokens[row], self.slots[row], self.long[row] = list(prefix.tokens), list(range(stop)), prefix.long
        self._grow(stop)
        self._positions[row, :stop] = torch.arange(stop, device=self._positions.device)
        for store, parts in ((self._keys, prefix.keys), (self._values, prefix.values)):
            for layer, part in enumerate(parts):
                self._slots_of(store, layer, part)[row, :, :stop] = part

    def begin(self, rows: Sequence[int], chunks: Sequence[Sequence[int]], positions: Tensor) -> Tensor:
        """Reserve slots for new tokens of some rows; the layers' `update` calls that follow fill it.

        Args:
            rows: the rows that take part.
            chunks: the new tokens of each; may be empty.
            positions: long, (len(rows), width): the position of each new token, left-padded with -1.

        Returns:
            Long, (len(rows), slots): the position that every slot now holds for these rows, the new ones last.
        """
        width = positions.shape[1]
        start = max((self.slots[row][-1] + 1 for row in rows if self.slots[row]), default=0)
        stop = start + width
        self._grow(stop)
        for row, chunk in zip(rows, chunks, strict=True):
            self.tokens[row] += chunk
            self.slots[row] += range(stop - len(chunk), stop)
        everyone = list(rows) == list(range(len(self.tokens)))
        self._rows = slice(None) if everyone else torch.tensor(rows, device=self._positions.device)
        self._window = slice(start, stop)
        self._positions[self._rows, start:stop] = positions
        return self._positions[self._rows, :stop]

    def update(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Store the new keys and values of a layer, (rows, heads, width, head size); return all of those rows."""
        return self._store(self._keys, keys, layer), self._store(self._values, values, layer)

    def _grow(self, stop: int) -> None:
        """Have at least so many slots."""
        if stop > self._positions.shape[1]:
            grown = self._positions.new_full((len(self.tokens), stop + GROWTH), -1)
            grown[:, : self._positions.shape[1]] = self._positions
            self._positions = grown

    def _store(self, store: list[Tensor | None], new: Tensor, layer: int) -> Tensor:
        held = self._slots_of(store, layer, new[0])
        held[self._rows, :, self._window] = new
        return held[self._rows, :, : self._window.stop]

    def _slots_of(self, store: list[Tensor | None], layer: int, like: Tensor) -> Tensor:
        """Return a layer's store, (rows, heads, slots, head size), grown to the number of slots.

        Args:
            like: (heads, any, head size).
        """
        held, slots = store[layer], self._positions.shape[1]
        if held is None or held.shape[2] < slots:
            # Zeros, not empty: what is masked out is still multiplied (by zero), and must be finite.
            grown = like.new_zeros((len(self.tokens), like.shape[0], slots, like.shape[2]))
            if held is not None:
                grown[:, :, : held.shape[2]] = held
            store[layer] = held = grown
        return held
