"""From what a data set's own files say to a label of the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from coabench.base.schema import Read, at_least, must
from coabench.dataset import MOST_VOTES
from coabench.labels import LabelSpace, fold
from coabench.support.parquet import Coded
from coabench_faces.tables import Texts


class Unknown(Exception):
    """A value that stands for no label of the card; *expected* says which would."""

    def __init__(self, value: str, expected: str) -> None:
        self.value = value
        self.expected = expected
        super().__init__(value)


class LeftOut(Exception):
    """A row that the card leaves out; the text says why."""


@dataclass(frozen=True)
class Values:
    """Which label a value stands for.

    The card's own ``values`` come first (null there leaves the row out), then names and aliases of the labels. Whole
    numbers are codes of the card's classes, but only where a table holds them: a folder named ``3`` says nothing.

    Attributes:
        own: folded value -> label, or None for a value whose rows are left out.
    """

    space: LabelSpace
    own: Mapping[str, str | None]

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        return self.space.spellings(self.space.names)

    @cached_property
    def _codes(self) -> Mapping[int | None, str]:
        return {x.code: x.name for x in self.space.labels if x.code is not None}

    def label(self, value: Any, coded: bool) -> str:
        """Return the label.

        Args:
            coded: whether a whole number is a code.

        Raises:
            LeftOut: the card says so.
            Unknown: it stands for nothing.
        """
        text = "" if value is None else str(value).strip()
        if isinstance(value, Coded):
            return self._named(value)
        if not isinstance(value, bool):
            key = self._key(text)
            if key is not None:
                return self._own(key, text)
            spelled = self._spellings.get(fold(text))
            if spelled is not None:
                return spelled
            code = _whole_number(text) if coded else None
            if code in self._codes:
                return self._codes[code]
        raise Unknown(text, self._known(coded))

    def _named(self, value: Coded) -> str:
        """Return the label of a number that has a name in its table; where the card knows both, they must agree."""
        for text in (value.name, str(int(value))):
            key = self._key(text)
            if key is not None:
                return self._own(key, text)
        by_name, by_code = self._spellings.get(fold(value.name)), self._codes.get(value)
        label = by_name or by_code
        if label is None:
            raise Unknown(value.name, self._known(coded=False))
        if by_code not in (None, label):
            raise Unknown(f"{int(value)}, {value.name}", f"{by_code}, whose code on the card is {int(value)}")
        return label

    def _own(self, key: str, text: str) -> str:
        """Return the label that the card's ``values`` give."""
        label = self.own[key]
        if label is None:
            raise LeftOut(f"label {text!r}")
        return label

    def _key(self, text: str) -> str | None:
        if fold(text) in self.own:
            return fold(text)
        number = _whole_number(text)
        return str(number) if number is not None and str(number) in self.own else None

    def _known(self, coded: bool) -> str:
        codes = [f"{code} ({name})" for code, name in self._codes.items()] if coded else []
        return ", ".join([*self.own, *(codes or self.space.names)])


@dataclass(frozen=True)
class Votes:
    """The label that most annotators chose.

    Attributes:
        columns: column of a table -> label, or None for one that is no label ("unknown").
        least: a count below this is taken for 0.
        above: the share of the counted votes that the winner must exceed.
    """

    columns: Annotated[Mapping[str, str | None], Read(dict.fromkeys, Texts)]
    least: Annotated[float, at_least(0)] = 0
    above: Annotated[
        float, must(lambda share: 0 <= share < 1, "a share below 1: 0.5 asks for more than half of the votes")
    ] = 0

    def label(self, row: Mapping[str, Any]) -> str:
        """Return the label with the most votes.

        Raises:
            LeftOut: there is none, several have as many, it has too few, or it is no label.
            Unknown: a cell holds no number of votes.
        """
        counts = {column: self._count(column, row[column]) for column in self.columns}
        total, most = sum(counts.values()), max(counts.values())
        winners = [column for column, count in counts.items() if count == most]
        if not total or len(winners) > 1 or most <= self.above * total:
            raise LeftOut("no majority of the votes")
        label = self.columns[winners[0]]
        if label is None:
            raise LeftOut(f"most votes for {winners[0]!r}")
        return label

    def counts(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Return label -> number of votes, as they stand in the row; none for columns that are no label.

        Only of a row whose `label` was read. What that rule drops, numbers below *least*, are votes nevertheless.
        """
        counts: dict[str, float] = {}
        for column, label in self.columns.items():
            if label is not None:
                counts[label] = counts.get(label, 0) + float(row[column])
        return {label: int(count) if count.is_integer() else count for label, count in counts.items()}

    def _count(self, column: str, cell: Any) -> float:
        try:
            count = float(cell)
        except (TypeError, ValueError):
            count = -1
        if not 0 <= count <= MOST_VOTES:
            raise Unknown(f"{column}: {cell}", "a number of votes")
        return count if count >= self.least else 0


def own_values(values: Mapping[Any, str | None]) -> dict[str, str | None]:
    """Return the card's ``values`` with their keys folded."""
    return {fold(str(value)): label for value, label in values.items()}


def known_columns(values: Values, columns: Sequence[str]) -> dict[str, str | None]:
    """Return the label that each column of votes is for, None for one that the card leaves out."""
    labels: dict[str, str | None] = {}
    for column in columns:
        try:
            labels[column] = values.label(column, coded=False)
        except LeftOut:
            labels[column] = None
    return labels


def _whole_number(text: str) -> int | None:
    """Return the whole number that a text is (``3``, ``3.0``, ``3.0000000e+00``), or None."""
    try:
        number = float(text) if text.isascii() else float("nan")
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
