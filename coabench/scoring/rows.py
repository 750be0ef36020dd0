"""The rows of a table of predictions: which sample each is about, its target, its prediction.

All mistakes of a table are reported at once, with their lines; nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from coabench.base.text import plural
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
    """The predictions of a table.

    Attributes:
        turns: what each was read off, where that is a sentence or scores.
        notes: what the user must know of those that are none, or more than one label.
        ranked: whether any is a ranking.
    """

    predictions: Sequence[Prediction]
    turns: Sequence[Turn | None]
    notes: Sequence[str]
    ranked: bool


def ids_of(table: Table, column: str | None) -> Sequence[str]:
    """Return the id of every row: as it stands in its column; without one, the row's number.

    Raises:
        UserError: an id is missing or stands twice.
    """
    if column is None:
        return [f"row_{number}" for number in range(1, len(table.rows) + 1)]
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        rows.setdefault(row.text(column), []).append(row)
    if "" in rows:
        raise table.wrong("row", "without an id", [table.at(row) for row in rows[""]], "an id in every row")
    twice = [f"{identifier!r} in {_places(table, at)}" for identifier, at in rows.items() if len(at) > 1]
    if twice:
        raise table.wrong("id", "given more than once", twice, "one row per sample")
    return list(rows)


def positions_of(known: KnownSamples, table: Table, column: str) -> Sequence[int]:
    """Return for every row the position of the known sample that it is about.

    Raises:
        UserError: an id that is no sample's, or several samples'; a sample with two rows or none.
    """
    ids = ids_of(table, column)
    matches = [known.find(identifier) for identifier in ids]
    pairs = list(zip(table.rows, ids, matches, strict=True))
    strange = [f"{table.at(row)}: {identifier!r}" for row, identifier, at in pairs if not at]
    if strange:
        example = known.samples[0]
        expected = f"its ids or image names, such as {example['id']!r} or {example['image']!r}"
        raise table.wrong("row", f"about no sample of {known.source}", strange, expected)
    several = [
        f"{table.at(row)}: {identifier!r} may be {' or '.join(repr(known.samples[i]['id']) for i in at[:3])}"
        for row, identifier, at in pairs
        if len(at) > 1
    ]
    if several:
        raise table.wrong("id", f"ambiguous in {known.source}", several, "full ids")
    first: dict[int, Row] = {}
    twice = []
    for row, identifier, (position,) in pairs:
        if position in first:
            twice.append(f"{table.at(row)}: {identifier!r} is the sample of {table.at(first[position])}")
        first.setdefault(position, row)
    if twice:
        raise table.wrong("row", "about a sample that has a row already", twice, "one row per sample")
    missing = [repr(sample["id"]) for position, sample in enumerate(known.samples) if position not in first]
    if missing:
        raise table.wrong(
            "sample",
            "without a row",
            missing,
            f"a row for each of the {plural(len(known.samples), 'sample')} of {known.source}",
            "add them; a prediction that is left empty counts as INVALID",
        )
    return [position for (position,) in matches]


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
    contrary = [
        f"{table.at(row)}: {target!r}, but {known.samples[position]['id']} is {known.samples[position]['target']!r}"
        for row, position, target in zip(table.rows, positions, targets, strict=False)
        if target != known.samples[position]["target"]
    ]
    if contrary:
        raise table.wrong("target", f"other than in {known.source}", contrary, "the same samples with the same labels")


def predictions_of(values: Values, table: Table, unknown: Literal["error", "invalid"]) -> Read:
    """Return the prediction of every row.

    Raises:
        UserError: a prediction is no label, and *unknown* is ``error``: a typo must not count as a wrong answer; but of
            sentences, which a model may word as it likes. Or most are none: then another thing is wrong.
    """
    readings = [values.read(row) for row in table.rows]
    pairs = list(zip(table.rows, readings, strict=True))
    wrong = [(row, reading.problem) for row, reading in pairs if reading.problem]
    understood = [reading.prediction for reading in readings if reading.prediction]
    most = len(wrong) > len(understood)
    meant = unknown == "invalid" and values.parser is not None and understood
    if wrong and ((unknown == "error" and values.parser is None) or (most and not meant)):
        raise table.wrong(
            "prediction",
            f"no label of {values.space.name}",
            [f"{table.at(row)}: {problem}" for row, problem in wrong],
            values.expected,
            ("" if most else "correct them, or count them as INVALID with --unknown invalid; ") + values.remedy,
            share=most,
        )
    if not understood:
        raise table.wrong("prediction", "empty or NaN", [table.at(row) for row in table.rows],
                          values.expected, "name the column with --prediction-column", share=True)  # fmt: skip
    ranked = [row for row, reading in pairs if reading.prediction and RANK in reading.prediction.details]
    kinds = (
        ([row for row, it in pairs if not it.prediction and not it.problem], "empty or NaN, counted as INVALID"),
        ([row for row, _ in wrong], f"no label of {values.space.name}, counted as INVALID"),
        (ranked, "ranked, the first label counts (where labels are pairs, the first two basic emotions)"),
    )
    return Read(
        [reading.prediction or Prediction.invalid(EMPTY) for reading in readings],
        [reading.turn for reading in readings],
        [f"{counted(len(rows), 'prediction')} {what}: {_places(table, rows)}" for rows, what in kinds if rows],
        bool(ranked),
    )


def _places(table: Table, rows: Sequence[Row]) -> str:
    """Return ``line 3``, ``lines 3, 5 and 7``."""
    if len(rows) == 1:
        return table.at(rows[0])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{table.unit}s {', '.join(str(row.line) for row in rows[:SHOWN])}{more}"
