"""How many samples go through the model together: a number, or whatever is fastest here and fits."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from coabench.base.schema import at_least

BatchSize = Annotated[int, at_least(1)] | Literal["auto"]

FIRST, MOST = 4, 512
GAIN = 1.03
"""A batch twice as large is kept where it makes a sample at least this much faster."""


class Sizer(Protocol):
    """Says how large the next batch should be, and learns how long the last one took."""

    @property
    def size(self) -> int: ...

    def observe(self, samples: int, seconds: float) -> None:
        """A batch of so many samples took so long."""
        ...

    def shrink(self, samples: int) -> bool:
        """So many samples did not fit into the memory; return whether fewer should be tried."""
        ...


def sizer_of(size: BatchSize) -> Sizer:
    """Return the sizer that the user asked for."""
    return Auto() if size == "auto" else Fixed(size)


class Fixed:
    """The same size always; what does not fit is an error."""

    def __init__(self, size: int) -> None:
        self.size = size

    def observe(self, samples: int, seconds: float) -> None:
        return

    def shrink(self, samples: int) -> bool:
        return False


class Auto:
    """Doubles the batch for as long as that is faster and fits, then stays; halves it where memory runs out.

    The first batch of a size is not timed: it warms up.
    """

    def __init__(self) -> None:
        self.size = FIRST
        self._most = MOST
        self._growing = True
        self._warm = False
        self._best: float | None = None  # samples a second at half this size

    def observe(self, samples: int, seconds: float) -> None:
        if not self._growing or samples < self.size:
            return
        if not self._warm:
            self._warm = True
            return
        rate = samples / max(seconds, 1e-9)
        if self._best is not None and rate < GAIN * self._best:
            self._growing = False
            self.size //= 2
        elif 2 * self.size > self._most:
            self._growing = False
        else:
            self._best, self._warm = rate, False
            self.size *= 2

    def shrink(self, samples: int) -> bool:
        self._growing = False
        self._most = self.size = max(1, min(self.size, samples) // 2)
        return samples > 1
