"""The rows of a table of predictions: which sample each is about, its target, its prediction.

All mistakes of a table are reported at once, with their lines; nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from coabench.dialogue import Prediction
from coabench.scoring.label_values import EMPTY, LabelValues
from coabench.scoring.predictions_file import SHOWN, Table, counted
from coabench.scoring.samples import KnownSamples


def ids_of(table: Table, column: str | None) -> Sequence[str]:
    """Return the id of every row: as it stands in its column; without one, the row's number.

    Raises:
        UserError: an id is missing or stands twice.
    """
    if column is None:
        return [f"row_{number}" for number in range(1, len(table.rows) + 1)]
    lines: dict[str, list[int]] = {}
    for row in table.rows:
        lines.setdefault(row.text(column), []).append(row.line)
    if "" in lines:
        raise table.wrong("row", "without an id", [f"line {line}" for line in lines[""]], "an id in every row")
    twice = [f"{identifier!r} in {_lines(at)}" for identifier, at in lines.items() if len(at) > 1]
    if twice:
        raise table.wrong("id", "given more than once", twice, "one row per sample")
    return list(lines)


def positions_of(known: KnownSamples, table: Table, column: str) -> Sequence[int]:
    """Return for every row the position of the known sample that it is about.

    Raises:
        UserError: an id that is no sample's, or several samples'; a sample with two rows or none.
    """
    ids = ids_of(table, column)
    matches = [known.find(identifier) for identifier in ids]
    pairs = list(zip(table.rows, ids, matches, strict=True))
    strange = [f"line {row.line}: {identifier!r}" for row, identifier, at in pairs if not at]
    if strange:
        example = known.samples[0]
        expected = f"its ids or image names, such as {example['id']!r} or {example['image']!r}"
        raise table.wrong("row", f"about no sample of {known.source}", strange, expected)
    several = [
        f"line {row.line}: {identifier!r} may be {' or '.join(repr(known.samples[i]['id']) for i in at[:3])}"
        for row, identifier, at in pairs
        if len(at) > 1
    ]
    if several:
        raise table.wrong("id", f"ambiguous in {known.source}", several, "full ids")
    first: dict[int, int] = {}
    twice = []
    for row, identifier, (position,) in pairs:
        if position in first:
            twice.append(f"line {row.line}: {identifier!r} is the sample of line {first[position]}")
        first.setdefault(position, row.line)
    if twice:
        raise table.wrong("row", "about a sample that has a row already", twice, "one row per sample")
    missing = [repr(sample["id"]) for position, sample in enumerate(known.samples) if position not in first]
    if missing:
        raise table.wrong(
            "sample",
            "without a row",
            missing,
            f"a row for each of the {len(known.samples)} samples of {known.source}",
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
        prediction, problem = values.read(row)
        if prediction is not None and prediction.label is not None:
            targets.append(prediction.label)
            continue
        shown = problem or " + ".join(row.quoted(column) for column in values.columns)
        wrong.append(f"line {row.line}: {shown}{f' ({prediction.reason})' if prediction else ''}")
    if wrong:
        raise table.wrong("target", f"no label of {values.space.name}", wrong, values.expected)
    return targets


def check_targets(known: KnownSamples, positions: Sequence[int], targets: Sequence[str], table: Table) -> None:
    """Check that the targets that a table gives, if any, are those of the samples."""
    contrary = [
        f"line {row.line}: {target!r}, but {known.samples[position]['id']} is {known.samples[position]['target']!r}"
        for row, position, target in zip(table.rows, positions, targets, strict=False)
        if target != known.samples[position]["target"]
    ]
    if contrary:
        raise table.wrong("target", f"other than in {known.source}", contrary, "the same samples with the same labels")


def predictions_of(
    values: LabelValues, table: Table, unknown: Literal["error", "invalid"]
) -> tuple[list[Prediction], list[str]]:
    """Return the prediction of every row, and notes about those that were none.

    Raises:
        UserError: a prediction is no label, and *unknown* is ``error``: a typo must not count as a wrong answer.
    """
    readings = [values.read(row) for row in table.rows]
    wrong = [(row.line, reading.problem) for row, reading in zip(table.rows, readings, strict=True) if reading.problem]
    if wrong and unknown == "error":
        raise table.wrong(
            "prediction",
            f"no label of {values.space.name}",
            [f"line {line}: {problem}" for line, problem in wrong],
            values.expected,
            "correct them, or count them as INVALID with --unknown invalid",
        )
    empty = [row.line for row, reading in zip(table.rows, readings, strict=True) if reading == (None, None)]
    unlabelled = [line for line, _ in wrong]
    notes = [
        f"{counted(len(lines), 'prediction')} {what}, counted as INVALID: {_lines(lines)}"
        for lines, what in ((empty, "empty or NaN"), (unlabelled, f"no label of {values.space.name}"))
        if lines
    ]
    return [reading.prediction or Prediction.invalid(EMPTY) for reading in readings], notes


def _lines(lines: Sequence[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"lines {', '.join(map(str, lines[:SHOWN]))}{more}"
