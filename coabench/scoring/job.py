"""The score job: predictions in a file become a run like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coabench.base.lazy import Lazy
from coabench.base.version import __version__
from coabench.base.vocabulary import SUBJECT
from coabench.decode import EXTERNAL
from coabench.dialogue import Prediction, Turn
from coabench.errors import UserError
from coabench.evaluation.finish import store
from coabench.evaluation.progress import Progress, Silence
from coabench.labels import LabelSpace
from coabench.registry.catalog import find_card, find_labels, is_file
from coabench.registry.parsers import find_parser
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.identity import BackboneIdentity, Parsing, RunIdentity, StrategyIdentity
from coabench.runs.record import describe_prediction, describe_turn
from coabench.runs.result import FinishedRun
from coabench.scoring.columns import Columns, columns_of
from coabench.scoring.formats.files import TABLE, read_predictions
from coabench.scoring.formats.table import Format, Row, Table
from coabench.scoring.label_values import LabelValues, codes_of
from coabench.scoring.request import Scoring
from coabench.scoring.rows import (
    Read,
    Values,
    check_predictions,
    check_targets,
    ids_of,
    positions_of,
    prediction_of,
    targets_of,
)
from coabench.scoring.samples import KnownSamples, samples_of_dataset, samples_of_run
from coabench.scoring.score_values import ScoreValues, uncovered

SPLIT = "given"
"""The split of samples that only the file knows."""
UNCOUNTED = {"prompt_tokens": None, "cached_tokens": None, "new_tokens": None}
"""What nobody counted, in a turn."""

BY_NUMBER = (
    "the file has no ids: a row is known by its number, and two such files are about the same samples where they have "
    "the same targets in the same order"
)


def score(request: Scoring, progress: Progress | None = None) -> FinishedRun:
    """Make a run of a file of predictions; its metrics are computed as for any run.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be written.
    """
    request.check()
    samples = _known(request)
    space = samples.space if samples else find_labels(request.labels or "")
    format, table = read_predictions(request.predictions, request.format)
    columns = columns_of(request, table, space, samples is not None)
    targets = _targets(request, table, columns, space)
    if samples:
        known, positions = samples, positions_of(samples, table, columns.id or "")
        check_targets(known, positions, targets, table)
    else:
        known, positions = _own_samples(table, columns, targets, space), range(len(table.rows))
    values = _values(request, table, columns, space)
    read = check_predictions(values, table, request.unknown)
    identity = RunIdentity(
        coabench=__version__,
        parsing=Parsing.by(find_parser(request.parser)) if request.parser else None,
        backbone=BackboneIdentity(name=request.name or request.predictions.stem),
        strategy=StrategyIdentity(name=request.strategy),
        dataset=known.dataset,
        exemplars=(),
        decode=EXTERNAL,
        source=_source(request, format, table, columns, read),
    )
    notes = [*_notes(request, format, columns, space), *table.notes, *known.notes, *read.notes]
    check_output(request.output, request.like)
    return store(
        request.output, identity, known.labels, notes, _Records(known.samples, table, positions, values),
        overwrite=request.overwrite, command=request.command, progress=progress or Silence(),
    )  # fmt: skip


def _known(request: Scoring) -> KnownSamples | None:
    """Return the samples that the user points to."""
    if request.like is not None:
        return samples_of_run(request.like, request.labels)
    if request.dataset is not None:
        labels = find_labels(request.labels) if request.labels is not None else None
        return samples_of_dataset(request.dataset, request.data_root, request.split, request.options, labels)
    return None


def _targets(request: Scoring, table: Table, columns: Columns, space: LabelSpace) -> list[str]:
    """Return the true labels, none where no column has them."""
    if not columns.target:
        return []
    return targets_of(LabelValues(space, columns.target, "--target-column", codes=request.codes), table)


def _values(request: Scoring, table: Table, columns: Columns, space: LabelSpace) -> Values:
    """Return what reads the predictions; `UserError` where scores cannot be read."""
    of_labels = LabelValues(
        space, columns.prediction or ("",), "--prediction-column",
        codes=request.codes, parser=find_parser(request.parser) if request.parser else None, rankings=True,
    )  # fmt: skip
    if columns.prediction:
        return of_labels
    scores = ScoreValues(space, columns.probabilities, of_labels, logits=request.logits)
    scores.check(table)
    return scores


def _source(request: Scoring, format: Format, table: Table, columns: Columns, read: Read) -> dict[str, Any]:
    """Return what the identity says of the file and how it was read; what 0.1.0 did not know only where it applies."""
    more = {
        "format": None if format is TABLE else {"name": format.name, "version": format.version},
        "codes": None if request.codes == "card" else request.codes,
        "scale": None if not columns.probabilities else "logits" if request.logits else "probabilities",
        "rankings": True if read.ranked else None,
    }
    return {
        "file": request.predictions.name,
        "sha256": table.sha256,
        "columns": columns.to_json(),
        "unknown": request.unknown,
        **{key: value for key, value in more.items() if value is not None},
    }


def _notes(request: Scoring, format: Format, columns: Columns, space: LabelSpace) -> Iterator[str]:
    """Yield what the user must know of where the predictions come from."""
    name = request.predictions.name
    yield f"the predictions come from the file {name}, read as {format.name}: coabench did not make them"
    if format is not TABLE:
        ids = [columns.id] if columns.id else []
        parts = {"predictions": columns.prediction, "targets": columns.target, "ids": ids}
        read = [f"{what} from {', '.join(map(repr, names))}" for what, names in parts.items() if names]
        best = "" if columns.prediction else "; the prediction is the option with the highest score"
        yield f"{', '.join(read)}{best}"
    if request.codes != "card":
        numbers = ", ".join(f"{number} {label}" for number, label in codes_of(space, request.codes).items())
        yield f"numbers are {request.codes}: {numbers}"
    if columns.probabilities and (missing := uncovered(space, columns.probabilities)):
        yield f"no column has scores of {', '.join(missing)}: never predicted"
    if request.labels and request.like is None and request.dataset is None and SUBJECT not in columns.attributes:
        card = find_card(request.labels)
        if card.names_subjects:
            dataset = request.labels if is_file(request.labels) else card.name
            yield (
                f"{card.name} knows who is on an image, {name} does not say: images of one person count as "
                f"independent, so intervals are too narrow; --dataset {dataset} or --subject-column tells"
            )


def _own_samples(table: Table, columns: Columns, targets: Sequence[str], space: LabelSpace) -> KnownSamples:
    """Return the samples as the file itself describes them."""
    ids = ids_of(table, columns.id)

    def sample(number: int) -> Mapping[str, Any]:
        row = table.rows[number]
        return {
            "id": ids[number],
            "image": (row.text(columns.image) or None) if columns.image else None,
            "image_sha256": None,
            "target": targets[number],
            "attributes": {name: _attribute(row, column) for name, column in columns.attributes.items()},
        }

    samples = Lazy(len(ids), sample)
    dataset = DatasetIdentity(
        name=space.name,
        split=SPLIT,
        fingerprint=_fingerprint(zip(ids, targets, strict=True)),
        labels=space.digest,
        samples=len(samples),
    )
    notes = [] if columns.id else [BY_NUMBER]
    return KnownSamples(f"the file {table.path}", dataset, space.describe(), space, samples, notes)


def _attribute(row: Row, column: str) -> Any:
    """Return a JSON value as it is (a number stays one), a text without the space around it, None for nothing."""
    value = row.values.get(column)
    if not row.text(column):
        return None
    return value.strip() if isinstance(value, str) else value


class _Records:
    """The records of the new run, in the order of the samples; made anew whenever they are read."""

    def __init__(
        self, samples: Sequence[Mapping[str, Any]], table: Table, positions: Sequence[int], values: Values
    ) -> None:
        self._samples, self._table, self._values = samples, table, values
        self._rows = np.argsort(np.asarray(positions), kind="stable")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for sample, number in zip(self._samples, self._rows, strict=True):
            row = self._table.rows[number]
            yield _record(sample, *prediction_of(self._values, row), self._values.raw(row))


def _record(
    sample: Mapping[str, Any], prediction: Prediction, turn: Turn | None, raw: Sequence[str | None]
) -> dict[str, Any]:
    return {
        **{key: sample[key] for key in ("id", "image", "image_sha256", "target")},
        **describe_prediction(prediction),
        "given": list(raw),
        "turns": [{**describe_turn(turn), **UNCOUNTED}] if turn else [],
        "attributes": sample["attributes"],
        "seconds": None,
        **({"votes": sample["votes"]} if sample.get("votes") else {}),
    }


def _fingerprint(samples: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 over id and target of every sample, in order: two files about the same ones agree."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps(sample).encode() + b"\n")
    return digest.hexdigest()


def check_output(output: Path | None, run: Path | None) -> None:
    """Refuse to write over the run that is read."""
    if output is not None and run is not None and output.resolve() == run.resolve():
        raise UserError(f"{output} is the run that is read", remedy="choose another --output")
