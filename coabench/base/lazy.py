"""Sequences whose items are made when they are asked for: rows and records of which there may be millions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item", covariant=True)


class Lazy(Sequence[Item]):
    """A sequence that keeps none of its items.

    Args:
        length: how many there are.
        make: returns the item at a position.
        each: returns all in order, where that is faster than one by one.
    """

    def __init__(
        self, length: int, make: Callable[[int], Item], each: Callable[[], Iterator[Item]] | None = None
    ) -> None:
        self._length, self._make = length, make
        self._each = each or (lambda: map(make, range(length)))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, which: int) -> Item: ...
    @overload
    def __getitem__(self, which: slice) -> list[Item]: ...
    def __getitem__(self, which: int | slice) -> Item | list[Item]:
        positions = range(self._length)[which]
        return [*map(self._make, positions)] if isinstance(positions, range) else self._make(positions)

    def __iter__(self) -> Iterator[Item]:
        return self._each()
