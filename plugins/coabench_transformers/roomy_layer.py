"""A layer of a key-value cache that has room for tokens to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens for which there is room beyond those that are held."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Writes new tokens behind those that it holds; transformers' own layer copies all of them for each.

    Args:
        layer: whose keys and values it begins with, (rows, heads, tokens, head size); it stays as it is.
        rows: those of its rows that are taken, in this order; None for all.
    """

    _layer_type = None  # transformers makes layers of its own by this name

    def __init__(self, layer: Any, rows: Sequence[int] | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = layer.keys.dtype, layer.keys.device, True
        self._stores = [_with_room(held if rows is None else held[list(rows)]) for held in (layer.keys, layer.values)]
        self._show(layer.keys.shape[-2])

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add keys and values of new tokens; return those of all."""
        begin = self.get_seq_length()
        end = begin + key_states.shape[-2]
        for number, new in enumerate((key_states, value_states)):
            if end > self._stores[number].shape[-2]:
                self._stores[number] = _with_room(self._stores[number][:, :, :begin], end - begin)
            self._stores[number][:, :, begin:end] = new
        return self._show(end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Go on with some of the rows."""
        end = self.get_seq_length()
        self._stores = [store[indices] for store in self._stores]
        self._show(end)

    def _show(self, end: int) -> tuple[Tensor, Tensor]:
        keys, values = (store[:, :, :end] for store in self._stores)
        self.keys, self.values = keys, values
        return keys, values


def _with_room(held: Tensor, new: int = 0) -> Tensor:
    """Return a copy of keys or values with room behind them, which nobody reads before it is written."""
    rows, heads, tokens, size = held.shape
    store = held.new_empty((rows, heads, tokens + new + ROOM, size))
    store[:, :, :tokens] = held
    return store
