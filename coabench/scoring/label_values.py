"""What a value in a table of predictions means: a label by name, spelling or code, or two basic emotions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coabench.dialogue import Prediction, Task
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace, fold
from coabench.scoring.predictions_file import Row

EMPTY = "unparsed-answer"
"""The reason of a prediction that is empty, or that ``--unknown invalid`` counts as none."""


class Reading(NamedTuple):
    """The prediction that a row holds; or what is not understood about it; or neither, where it is empty."""

    prediction: Prediction | None = None
    problem: str | None = None


class LabelValues:
    """Reads labels off one column, or pairs off two."""

    def __init__(self, space: LabelSpace, columns: Sequence[str], option: str) -> None:
        """Prepare to read *columns*, as the user named them with *option*.

        Raises:
            UserError: more than two columns, or two for labels that are no pairs.
        """
        if not 1 <= len(columns) <= 2 or (len(columns) == 2 and not space.compound):
            raise UserError(
                f"{option} names {len(columns)} columns",
                expected="one column, or two for the two basic emotions" if space.compound else
                f"one column: the labels of {space.name} are no pairs",
                found=", ".join(columns),
                remedy=f"correct {option}",
            )  # fmt: skip
        self.space, self.columns = space, columns
        self._recognised = space.names if len(columns) == 1 else space.basic
        self._spellings = space.spellings(self._recognised)

    def read(self, row: Row) -> Reading:
        """Read a row. Two basic emotions may stand in either order."""
        filled = [column for column in self.columns if row.text(column)]
        labels = [self._label(row.text(column)) for column in filled]
        unknown = [column for column, label in zip(filled, labels, strict=True) if label is None]
        if unknown:
            hints = (did_you_mean(row.text(column), self._recognised).strip() for column in unknown)
            problems = (
                f"{row.quoted(c)}{f' ({hint})' if hint else ''}" for c, hint in zip(unknown, hints, strict=True)
            )
            return Reading(problem=", ".join(problems))
        if len(filled) < len(self.columns):
            return Reading()
        known = [label for label in labels if label is not None]
        return Reading(Task(self.space).combine(*known) if len(known) == 2 else Prediction(known[0]))

    def raw(self, row: Row) -> list[str | None]:
        """Return the values as they stand in the row, for the record."""
        return [None if row.values.get(column) is None else str(row.values[column]) for column in self.columns]

    @property
    def expected(self) -> str:
        """What a value may be, for error messages."""
        codes = [label.code for label in self.space.labels if label.code is not None]
        listed = ", ".join(self._recognised)
        return f"{listed}; or a code, {min(codes)} to {max(codes)}" if codes and len(self.columns) == 1 else listed

    def _label(self, text: str) -> str | None:
        """Return the label that a text means. ``3.0`` is the code 3: pandas writes it so in a column with gaps."""
        named = self._spellings.get(fold(text))
        digits = text.removesuffix(".0")
        if named is not None or len(self.columns) == 2 or not (digits.isascii() and digits.isdecimal()):
            return named
        try:
            return self.space.from_code(int(digits))
        except (KeyError, ValueError):  # ValueError: thousands of digits
            return None
