"""What is known of samples, attribute by attribute: a few bytes of each sample, also of two runs put together."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.base.vocabulary import SUBJECT

MOST_VALUES = 30
"""An attribute with more values than this is a measurement or a name, not a group."""


class AttributeColumns(dict[str, "Column"]):
    """The values of each attribute of samples, read in order: a few bytes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[tuple[str, ...], int] = {}
        self.kind = array("i")
        """Which attributes each sample has, as their number in *kinds*."""

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Read the attributes of the next sample."""
        for key in attributes:
            if key not in self:
                self[key] = Column(len(self.kind))
        for key, column in self.items():
            column.add(attributes.get(key))
        self.kind.append(self.kinds.setdefault(tuple(attributes), len(self.kinds)))

    def no_group(self, key: str) -> str | None:
        """Say why an attribute makes no groups; None where it does."""
        return "who is shown" if key == SUBJECT else self[key].no_group()

    def members(self) -> dict[str, dict[str, npt.NDArray[np.int64]]]:
        """Return the positions of the samples with each value of each attribute that makes groups."""
        return {key: column.members() for key, column in self.items() if self.no_group(key) is None}

    def with_those_of(self, other: AttributeColumns, order: npt.NDArray[np.int64]) -> AttributeColumns:
        """Return the attributes of these samples, with what only *other* has of them.

        Args:
            order: which sample of *other* each of these is, shape (n,).
        """
        own, others = np.array(self.kind), np.array(other.kind)[order]
        of_own, of_others = list(self.kinds), list(other.kinds)
        pairs, first = np.unique(own.astype(np.int64) * len(of_others) + others, return_index=True)
        both = [divmod(int(pair), len(of_others)) for pair in pairs[np.argsort(first)]]
        names = dict.fromkeys(name for i, j in both for name in (*of_others[j], *of_own[i]))
        made = AttributeColumns()
        for name in names:
            has, had = (np.isin(at, [i for i, kind in enumerate(kinds) if name in kind])
                        for at, kinds in ((own, of_own), (others, of_others)))  # fmt: skip
            made[name] = _joined(self.get(name), has, other.get(name), had, order)
        return made


def _joined(
    own: Column | None, has: npt.NDArray[np.bool_], other: Column | None, had: npt.NDArray[np.bool_],
    order: npt.NDArray[np.int64],
) -> Column:  # fmt: skip
    """Return the values of *own* where a sample has one, which may be None, else those of *other*."""
    if own is not None and (other is None or not (had & ~has).any()):
        return own
    assert other is not None
    if own is None:
        return other.ordered(order)
    return own.filled(np.flatnonzero(had & ~has), other.ordered(order))


class Column:
    """The values of an attribute: a byte a record, or 8 once they are too many to make groups."""

    def __init__(self, missing: int = 0) -> None:
        self.codes = array("b", [-1]) * missing
        self.values: dict[str, int] = {}
        self._many = array("q")  # the hash of each value
        self._single = True

    def add(self, value: Any) -> None:
        if value is not None and not isinstance(value, str | int | float):
            self._single = False
        if value is None or not self._single:
            self.codes.append(-1)
            return
        text = _text(value)
        if self._many:
            self._many.append(hash(text))
            return
        self.codes.append(self.values.setdefault(text, len(self.values)))
        if len(self.values) > MOST_VALUES:
            self._many = array("q", map(hash, self.values))

    def ordered(self, order: npt.NDArray[np.int64]) -> Column:
        """Return the values of the samples at these positions, of which there are as many."""
        made = copy(self)
        if self._single and not self._many:
            made.codes = array("b", np.array(self.codes)[order].tobytes())
        return made

    def filled(self, positions: npt.NDArray[np.int64], other: Column) -> Column:
        """Return these values, with those of *other* at some positions."""
        if not self._single or self._many:
            return self
        if not other._single or other._many:
            return other
        made, codes = Column(), np.array(self.codes)
        filling, names = np.array(other.codes)[positions], list(other.values)
        made.values = dict(self.values)
        translated = np.full(len(names) + 1, -1, dtype=np.int8)  # the last one for none
        for code in np.unique(filling[filling >= 0]).tolist():
            translated[code] = made.values.setdefault(names[code], len(made.values))
        codes[positions] = translated[filling]
        made.codes = array("b", codes.tobytes())
        if len(made.values) > MOST_VALUES:
            made._many = array("q", map(hash, made.values))
        return made

    def members(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the positions of the samples with each value, "4–19" before "20–39"."""
        codes = np.array(self.codes)
        return {value: np.flatnonzero(codes == self.values[value]) for value in sorted(self.values, key=_natural)}

    def no_group(self) -> str | None:
        """Say why these values make no groups; None where they do."""
        if not self._single:
            return "not a single value"
        if self._many:
            return f"{len(np.unique(np.array(self._many)))} different values"
        return None if self.values else "no values"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _natural(value: str) -> list[Any]:
    """Sort "4–19" before "20–39"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", value)]
