"""How often answerers that are asked about the same crops agree, in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

NAMES = ("A", "B", "C")
"""What answerers are called in the order in which they were chosen; so many can be asked at once."""


@dataclass(frozen=True)
class Agreement:
    """Of two answerers: about how many crops both were asked, and about how many of these they gave the same label.

    An answer without a label agrees with none, not even with another one without.
    """

    first: str
    second: str
    looks: int
    agreed: int

    @property
    def share(self) -> float | None:
        """The share of looks in which they agree, 0…1; None before the first."""
        return self.agreed / self.looks if self.looks else None


class AgreementTally:
    """Counts the agreement of every pair of so many answerers."""

    def __init__(self, answerers: int) -> None:
        self._pairs = list(combinations(NAMES[:answerers], 2))
        self._looks = 0
        self._agreed: Counter[tuple[str, str]] = Counter()

    def answered(self, labels: Sequence[str | None]) -> None:
        """Count what all of them answered about one crop, in their order."""
        said = dict(zip(NAMES, labels, strict=False))
        self._looks += 1
        self._agreed.update(pair for pair in self._pairs if agree(said[pair[0]], said[pair[1]]))

    def agreements(self) -> tuple[Agreement, ...]:
        """Return the agreement of every pair: A with B, A with C, B with C."""
        return tuple(Agreement(*pair, self._looks, self._agreed[pair]) for pair in self._pairs)


def agree(first: str | None, second: str | None) -> bool:
    """Whether two answers are the same label."""
    return first is not None and first == second
