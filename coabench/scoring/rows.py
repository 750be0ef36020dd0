"""The rows of a table of predictions: which sample each is about, its target, its prediction.

All mistakes of a table are reported at once, with their lines; nothing is skipped.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from coabench.base.text import plural
from coabench.base.texts import Texts
from coabench.dialogue import Prediction, Turn
from coabench.labels import LabelSpace
from coabench.parser import Parser
from coabench.scoring.formats.table import SHOWN, Row, Table, counted
from coabench.scoring.label_values import EMPTY, RANK, LabelValues, Reading
from coabench.scoring.samples import KnownSamples


class Values(Protocol):
    """What reads the prediction of a row: `LabelValues`, or `coabench.scoring.score_values.ScoreValues`."""

    space: LabelSpace
    parser: Parser | None

    @property
    def expected(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    def read(self, row: Row) -> Reading: ...
    def raw(self, row: Row) -> list[str | None]: ...


class Read(NamedTuple):
    """The predictions of a table as a whole.

    Attributes:
        notes: what the user must know of those that are none, or more than one label.
        ranked: whether any is a ranking.
    """

    notes: Sequence[str]
    ranked: bool


def ids_of(table: Table, column: str | None) -> Texts:
    """Return the id of every row: as it stands in its column; without one, the row's number.

    Raises:
        UserError: an id is missing or stands twice.
    """
    if column is None:
        return Texts(f"row_{number}" for number in range(1, len(table.rows) + 1))
    ids = Texts(row.text(column) for row in table.rows)
    hashes = ids.hashes()
    without = np.flatnonzero(hashes == hash(""))
    if without.size:
        raise table.wrong(
            "row", "without an id", [table.at(table.rows[i]) for i in without.tolist()], "an id in every row"
        )
    if len(np.unique(hashes)) < len(hashes):
        rows: dict[str, list[int]] = {}
        for number, identifier in enumerate(ids):
            rows.setdefault(identifier, []).append(number)
        twice = [f"{identifier!r} in {_places(table, at)}" for identifier, at in rows.items() if len(at) > 1]
        if twice:
            raise table.wrong("id", "given more than once", twice, "one row per sample")
    return ids


def positions_of(known: KnownSamples, table: Table, column: str) -> Sequence[int]:
    """Return for every row the position of the known sample that it is about.

    Raises:
        UserError: an id that is no sample's, or several samples'; a sample with two rows or none.
    """
    positions, strange, several = array("q"), [], []
    for number, identifier in enumerate(ids_of(table, column)):
        at = known.find(identifier)
        positions.append(at[0] if len(at) == 1 else -1)
        if not at:
            strange.append(f"{table.at(table.rows[number])}: {identifier!r}")
        elif len(at) > 1:
            which = " or ".join(repr(known.samples[i]["id"]) for i in at[:3])
            several.append(f"{table.at(table.rows[number])}: {identifier!r} may be {which}")
    if strange:
        example = known.samples[0]
        expected = f"its ids or image names, such as {example['id']!r} or {example['image']!r}"
        raise table.wrong("row", f"about no sample of {known.source}", strange, expected)
    if several:
        raise table.wrong("id", f"ambiguous in {known.source}", several, "full ids")
    first = np.full(len(known.samples), -1)
    twice = []
    for number, position in enumerate(positions):
        row = table.rows[number] if first[position] >= 0 else None
        if row is None:
            first[position] = number
            continue
        other = table.at(table.rows[first[position]])
        twice.append(f"{table.at(row)}: {row.text(column)!r} is the sample of {other}")
    if twice:
        raise table.wrong("row", "about a sample that has a row already", twice, "one row per sample")
    missing = [repr(known.samples[position]["id"]) for position in np.flatnonzero(first < 0).tolist()]
    if missing:
        raise table.wrong(
            "sample",
            "without a row",
            missing,
            f"a row for each of the {plural(len(known.samples), 'sample')} of {known.source}",
            "add them; a prediction that is left empty counts as INVALID",
        )
    return positions


def targets_of(values: LabelValues, table: Table) -> list[str]:
    """Return the target of every row.

    Raises:
        UserError: one is missing, or is no label.
    """
    targets, wrong = [], []
    for row in table.rows:
        prediction, problem, _ = values.read(row)
        if prediction is not None and prediction.label is not None:
            targets.append(prediction.label)
            continue
        shown = problem or " + ".join(row.quoted(column) for column in values.columns)
        wrong.append(f"{table.at(row)}: {shown}{f' ({prediction.reason})' if prediction else ''}")
    if wrong:
        raise table.wrong(
            "target", f"no label of {values.space.name}", wrong, values.expected,
            "correct them, or --target-column; --codes says what numbers mean",
        )  # fmt: skip
    return targets


def check_targets(known: KnownSamples, positions: Sequence[int], targets: Sequence[str], table: Table) -> None:
    """Check that the targets that a table gives, if any, are those of the samples."""
    right = [sample["target"] for sample in known.samples] if targets else []
    contrary = [
        f"{table.at(table.rows[i])}: {target!r}, but {known.samples[position]['id']} is {right[position]!r}"
        for i, (position, target) in enumerate(zip(positions, targets, strict=False))
        if target != right[position]
    ]
    if contrary:
        raise table.wrong("target", f"other than in {known.source}", contrary, "the same samples with the same labels")


def prediction_of(values: Values, row: Row) -> tuple[Prediction, Turn | None]:
    """Return the prediction of a row, and what it was read off where that is a sentence or scores."""
    prediction, _, turn = values.read(row)
    return prediction or Prediction.invalid(EMPTY), turn


def check_predictions(values: Values, table: Table, unknown: Literal["error", "invalid"]) -> Read:
    """Read the prediction of every row, and return what is to be said of them.

    Raises:
        UserError: a prediction is no label, and *unknown* is ``error``: a typo must not count as a wrong answer; but of
            sentences, which a model may word as it likes. Or most are none: then another thing is wrong.
    """
    empty, wrong, ranked, problems = array("q"), array("q"), array("q"), []
    for number, row in enumerate(table.rows):
        prediction, problem, _ = values.read(row)
        if problem:
            wrong.append(number)
            problems.append(f"{table.at(row)}: {problem}")
        elif not prediction:
            empty.append(number)
        elif RANK in prediction.details:
            ranked.append(number)
    understood = len(table.rows) - len(wrong) - len(empty)
    most = len(wrong) > understood
    meant = unknown == "invalid" and values.parser is not None and understood
    if wrong and ((unknown == "error" and values.parser is None) or (most and not meant)):
        raise table.wrong(
            "prediction",
            f"no label of {values.space.name}",
            problems,
            values.expected,
            ("" if most else "correct them, or count them as INVALID with --unknown invalid; ") + values.remedy,
            share=most,
        )
    if not understood:
        raise table.wrong("prediction", "empty or NaN", [table.at(row) for row in table.rows],
                          values.expected, "name the column with --prediction-column", share=True)  # fmt: skip
    kinds = (
        (empty, "empty or NaN, counted as INVALID"),
        (wrong, f"no label of {values.space.name}, counted as INVALID"),
        (ranked, "ranked, the first label counts (where labels are pairs, the first two basic emotions)"),
    )
    return Read(
        [f"{counted(len(rows), 'prediction')} {what}: {_places(table, rows)}" for rows, what in kinds if rows],
        bool(ranked),
    )


def _places(table: Table, numbers: Sequence[int]) -> str:
    """Return where the rows of these numbers stand: ``line 3``, ``lines 3, 5 and 7``."""
    if len(numbers) == 1:
        return table.at(table.rows[numbers[0]])
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"{table.unit}s {', '.join(str(table.rows[i].line) for i in numbers[:SHOWN])}{more}"
