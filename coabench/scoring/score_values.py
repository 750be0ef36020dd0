"""Predictions that are scores: a column of probabilities or logits per label, or what a tool recorded per option."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from coabench.decode import SCORE
from coabench.dialogue import LARGEST_SCORE, Answer, Prediction, Question, Turn
from coabench.errors import UserError, did_you_mean
from coabench.labels import Choices, LabelSpace, fold
from coabench.parser import Parser
from coabench.scoring.formats.table import Row, Table
from coabench.scoring.label_values import LabelValues, Reading

TOLERANCE = 0.01
"""By how much probabilities may miss 1: what rounding to two decimals makes of a few classes."""
LOWEST = -1e9
"""The log-probability that stands for a probability of 0, as in records."""


class ScoreValues:
    """Reads the best-scored label, and the scores of all."""

    parser: Parser | None = None

    def __init__(self, space: LabelSpace, columns: Mapping[str, str], labels: LabelValues, *, logits: bool) -> None:
        """Prepare to read scores.

        Args:
            columns: label -> its column; none where the rows have scores of their own.
            labels: reads what those are of.
            logits: whether the columns hold logits (or log-probabilities) rather than probabilities.
        """
        self.space, self.columns = space, columns
        self._labels, self._logits = labels, logits

    @property
    def expected(self) -> str:
        """What is expected, for error messages."""
        return "one label with the highest score"

    @property
    def remedy(self) -> str:
        """What to do about scores that name no label."""
        return "write the scores with more digits"

    def check(self, table: Table) -> None:
        """Check the scores of all rows.

        Raises:
            UserError: one is missing, no number, or no probability; they do not add up to 1; one is of no label.
        """
        mistakes = []
        for row in table.rows:
            try:
                self._scores(row)
            except ValueError as error:
                mistakes.append(f"{table.at(row)}: {error}")
        if mistakes:
            remedy = "correct the file; --logits if these are logits or log-probabilities" if self.columns else ""
            what = "numbers for all labels" if self._logits else f"probabilities that add up to 1 (± {TOLERANCE})"
            raise table.wrong("row", "without scores that can be read", mistakes,
                              what if self.columns else "log-probabilities of labels", remedy)  # fmt: skip

    def read(self, row: Row) -> Reading:
        """Read a row that was checked."""
        scores = self._scores(row)
        if not scores:
            return Reading()
        highest = max(scores.values())
        best = [label for label, score in scores.items() if score == highest]
        label = best[0] if len(best) == 1 else None
        answer = Answer(label or "", scores=self._logarithms(scores), label=label, match=SCORE.name if label else None)
        turn = Turn(Question("", Choices(scores)), answer)
        if label is None:
            return Reading(problem=f"{highest:g} for {' and '.join(best)}", turn=turn)
        return Reading(Prediction(label), turn=turn)

    def raw(self, row: Row) -> list[str | None]:
        """Return the values as they stand in the row, for the record; none where they are the scores themselves."""
        return [None if row.values.get(column) is None else str(row.values[column]) for column in self.columns.values()]

    def _scores(self, row: Row) -> dict[str, float]:
        """Return label -> score, none for a row without any; `ValueError` in words."""
        if not self.columns:
            return self._recorded(row)
        if not any(row.text(column) for column in self.columns.values()):
            return {}
        scores = {label: _number(row, column) for label, column in self.columns.items()}
        if not self._logits:
            below = [f"{value:g} for {label}" for label, value in scores.items() if value < 0]
            if below:
                raise ValueError(f"a probability below 0: {', '.join(below)}")
            if abs(sum(scores.values()) - 1) > TOLERANCE:
                raise ValueError(f"they add up to {sum(scores.values()):.6g}")
        return scores

    def _recorded(self, row: Row) -> dict[str, float]:
        scores: dict[str, float] = {}
        for option, score in (row.scores or {}).items():
            label = self._labels.label_of(row, option)
            if label is None or label in scores:
                raise ValueError(f"the option {option[:60]!r} is {'no label' if label is None else f'{label} again'}")
            if math.isnan(score) or score > LARGEST_SCORE:
                raise ValueError(f"{score:g} for {label}, which is no log-probability")
            scores[label] = score
        return scores

    def _logarithms(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Return natural-log probabilities."""
        if not self.columns:
            return {label: max(score, LOWEST) for label, score in scores.items()}
        if not self._logits:
            return {label: math.log(p) if p > 0 else LOWEST for label, p in scores.items()}
        most = max(scores.values())
        total = most + math.log(sum(math.exp(score - most) for score in scores.values()))
        return {label: min(score - total, 0.0) for label, score in scores.items()}


def probability_columns(text: str, table: Table, space: LabelSpace) -> dict[str, str]:
    """Read ``Surprise,Fear,Disgust=p3``: columns called like labels, or after the label that they are of.

    Returns:
        Label -> column, in the order of the label space.

    Raises:
        UserError: no such column or label, a label twice, or less than two.
    """
    option, spellings = "--probability-columns", space.spellings(space.names)
    columns: dict[str, str] = {}
    for part in (part.strip() for part in text.split(",")):
        name, _, column = (part, "", part) if part in table.columns else part.partition("=")
        name, column = name.strip(), column.strip() or name.strip()
        table.check_columns({option: [column]})
        label = spellings.get(fold(name))
        if label is None or label in columns:
            raise UserError(
                f"{option}: {name!r} is {'no label' if label is None else f'{label} again'}",
                expected=", ".join(space.names),
                remedy=f"{did_you_mean(name, space.names)}write LABEL=COLUMN where a column is called otherwise",
            )
        columns[label] = column
    if len(columns) < 2:
        raise UserError(f"{option} names one column", expected="a column for each label", remedy="name the others too")
    return {label: columns[label] for label in space.names if label in columns}


def _number(row: Row, column: str) -> float:
    text = row.text(column)
    try:
        number = math.nan if "_" in text else float(text.replace(",", ".") if "." not in text else text)
    except ValueError:
        raise ValueError(f"{row.quoted(column)} in {column!r}, which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{row.quoted(column)} in {column!r}, which is no number")
    return number


def uncovered(space: LabelSpace, columns: Mapping[str, str]) -> Sequence[str]:
    """Return the labels without a column."""
    return [label for label in space.names if label not in columns]
