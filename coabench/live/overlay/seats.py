"""Where each plate was in the frame before: what keeps plates from jumping while faces move."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass

from coabench.live.overlay.placement import Spot

PATIENCE = 15
"""Frames for which a plate that had to say less does so, though there is room for more again: a face that moves by a
pixel and back does not make its plate flicker."""


@dataclass
class Seat:
    """Where a plate was, and what it said.

    Attributes:
        level: a name for how much it said.
        waits: frames until it may say more again.
    """

    level: Hashable
    spot: Spot
    waits: int = 0


class Seats:
    """The plates of the frame before, by what they are about: the number of a face, the name of a corner."""

    def __init__(self) -> None:
        self._seats: dict[Hashable, Seat] = {}

    def get(self, about: Hashable) -> Seat | None:
        """Return where a plate was; None for a new one."""
        return self._seats.get(about)

    def before(self, about: Hashable, level: Hashable) -> Spot | None:
        """Return where a plate was if it said as much."""
        seat = self._seats.get(about)
        return seat.spot if seat is not None and seat.level == level else None

    def take(self, about: Hashable, level: Hashable, spot: Spot, *, less: bool = False) -> None:
        """Keep where a plate is now; *less*: it says less than before."""
        seat = self._seats.get(about)
        waits = PATIENCE if less else max(seat.waits - 1, 0) if seat is not None else 0
        self._seats[about] = Seat(level, spot, waits)

    def keep(self, about: Collection[Hashable]) -> None:
        """Forget all others."""
        self._seats = {each: seat for each, seat in self._seats.items() if each in about}
