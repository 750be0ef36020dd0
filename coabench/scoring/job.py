"""The score job: predictions in a file become a run like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from coabench.base.version import __version__
from coabench.base.vocabulary import SUBJECT
from coabench.decode import EXTERNAL
from coabench.dialogue import Prediction
from coabench.errors import UserError
from coabench.evaluation.finish import FinishedRun, store
from coabench.evaluation.progress import Progress, Silence
from coabench.labels import LabelSpace
from coabench.registry.catalog import find_labels
from coabench.runs.identity import BackboneIdentity, DatasetIdentity, RunIdentity, StrategyIdentity
from coabench.runs.record import describe_prediction
from coabench.scoring.label_values import LabelValues
from coabench.scoring.predictions_file import Row, Table, read_table
from coabench.scoring.rows import check_targets, ids_of, positions_of, predictions_of, targets_of
from coabench.scoring.samples import KnownSamples, samples_of_dataset, samples_of_run

SPLIT = "given"
"""The split of samples that only the file knows."""


BY_NUMBER = (
    "the file has no ids: a row is known by its number, and two such files are about the same samples where they have "
    "the same targets in the same order"
)


@dataclass(frozen=True)
class Scoring:
    """What to score, as options of the command line.

    Attributes:
        predictions: the file.
        labels: a data set's name, its card, or a short name; None with *like* or *dataset*, which have their own.
        prediction_column: one column, or two with a comma: the two basic emotions.
        target_column: likewise; None for ``target`` if there is one.
        id_column: None for ``id`` if there is one.
        subject_column: becomes the attribute ``subject``.
        attributes: columns that become attributes.
        unknown: what a prediction that is no label means.
        name, strategy: what the leaderboard calls the model and its way of answering; the file's name by default.
        like: the run whose samples these are.
        dataset: the data set whose samples these are, with *data_root*, *split* and *options*.
        output: the run directory; None for one below ``results``.
    """

    predictions: Path
    labels: str | None = None
    prediction_column: str = "prediction"
    target_column: str | None = None
    id_column: str | None = None
    image_column: str | None = None
    subject_column: str | None = None
    attributes: Sequence[str] = ()
    unknown: Literal["error", "invalid"] = "error"
    name: str | None = None
    strategy: str = "external"
    like: Path | None = None
    dataset: str | None = None
    data_root: Path | None = None
    split: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    overwrite: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Columns:
    """Which columns are read; *target* is empty where the samples themselves have the true labels."""

    prediction: Sequence[str]
    target: Sequence[str]
    id: str | None
    image: str | None
    attributes: Mapping[str, str]


def score(request: Scoring, progress: Progress | None = None) -> FinishedRun:
    """Make a run of a file of predictions; its metrics are computed as for any run.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be written.
    """
    known = _known(request)
    space = known.space if known else find_labels(request.labels or "")
    table = read_table(request.predictions)
    columns = _columns(request, table, known is not None)
    targets = targets_of(LabelValues(space, columns.target, "--target-column"), table) if columns.target else []
    if known:
        positions = positions_of(known, table, columns.id or "")
        check_targets(known, positions, targets, table)
    else:
        known, positions = _own_samples(table, columns, targets, space), range(len(table.rows))
    values = LabelValues(space, columns.prediction, "--prediction-column")
    predictions, notes = predictions_of(values, table, request.unknown)
    records = [
        _record(known.samples[position], prediction, values.raw(row))
        for position, prediction, row in sorted(zip(positions, predictions, table.rows, strict=True), key=itemgetter(0))
    ]
    identity = RunIdentity(
        coabench=__version__,
        backbone=BackboneIdentity(name=request.name or request.predictions.stem),
        strategy=StrategyIdentity(name=request.strategy),
        dataset=known.dataset,
        exemplars=(),
        decode=EXTERNAL,
        source={
            "file": request.predictions.name,
            "sha256": table.sha256,
            "columns": asdict(columns),
            "unknown": request.unknown,
        },
    )
    source = f"the predictions come from the file {request.predictions.name}: coabench did not make them"
    check_output(request.output, request.like)
    return store(
        request.output, identity, known.labels, [source, *known.notes, *notes], records,
        overwrite=request.overwrite, command=request.command, progress=progress or Silence(),
    )  # fmt: skip


def _known(request: Scoring) -> KnownSamples | None:
    """Return the samples that the user points to, after checking that the options fit together."""
    sources = [o for o, v in (("--like", request.like), ("--dataset", request.dataset)) if v is not None]
    if len(sources) == 2:
        raise UserError("--like and --dataset both say which samples these are", remedy="choose one of them")
    if sources:
        known_by_then = {
            "--image-column": request.image_column,
            "--subject-column": request.subject_column,
            "--attribute": request.attributes,
        }
        _refuse(known_by_then, f"with {sources[0]} images and attributes are those of its samples")
    if request.dataset is None:
        of_dataset = {"--data-root": request.data_root, "--split": request.split, "--set": request.options}
        _refuse(of_dataset, "it belongs to --dataset")
    if request.like is not None:
        return samples_of_run(request.like, request.labels)
    if request.dataset is not None:
        labels = find_labels(request.labels) if request.labels is not None else None
        return samples_of_dataset(request.dataset, request.data_root, request.split, request.options, labels)
    if request.labels is None:
        raise UserError(
            "which labels are these?",
            expected="--labels NAME|CARD.yaml, --like RUN or --dataset NAME",
            remedy="add --labels compound (RAF-DB's compound emotions), --labels basic, or another data set's name",
        )
    return None


def _refuse(options: Mapping[str, Any], why: str) -> None:
    for option, value in options.items():
        if value:
            raise UserError(f"{option} does not fit: {why}", remedy=f"leave {option} out")


def _columns(request: Scoring, table: Table, known: bool) -> _Columns:
    """Return the columns to read, after checking that the table has them."""
    target = request.target_column or ("target" if "target" in table.columns or not known else "")
    columns = _Columns(
        prediction=_split(request.prediction_column, table),
        target=_split(target, table) if target else (),
        id=request.id_column or ("id" if "id" in table.columns else None),
        image=request.image_column,
        attributes={name: name for name in request.attributes}
        | ({SUBJECT: request.subject_column} if request.subject_column else {}),
    )
    table.check_columns(
        {
            "--prediction-column": columns.prediction,
            "--target-column": columns.target,
            "--id-column": [columns.id] if columns.id else [],
            "--image-column": [columns.image] if columns.image else [],
            "--attribute": request.attributes,
            "--subject-column": [request.subject_column] if request.subject_column else [],
        }
    )
    if known and columns.id is None:
        raise UserError(
            f"{table.path.name} does not say which sample each row is about",
            expected="a column with ids or image names",
            found=", ".join(map(repr, table.columns)),
            remedy="name it with --id-column",
        )
    return columns


def _split(columns: str, table: Table) -> Sequence[str]:
    """Return ``first,second`` as two columns, unless one column is called just that."""
    return (columns,) if columns in table.columns else tuple(part.strip() for part in columns.split(","))


def _own_samples(table: Table, columns: _Columns, targets: Sequence[str], space: LabelSpace) -> KnownSamples:
    """Return the samples as the file itself describes them."""
    samples = [
        {
            "id": identifier,
            "image": (row.text(columns.image) or None) if columns.image else None,
            "image_sha256": None,
            "target": target,
            "attributes": {name: _attribute(row, column) for name, column in columns.attributes.items()},
        }
        for row, identifier, target in zip(table.rows, ids_of(table, columns.id), targets, strict=True)
    ]
    dataset = DatasetIdentity(
        name=space.name,
        split=SPLIT,
        fingerprint=_fingerprint(samples),
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


def _record(sample: Mapping[str, Any], prediction: Prediction, raw: Sequence[str | None]) -> dict[str, Any]:
    return {
        **{key: sample[key] for key in ("id", "image", "image_sha256", "target")},
        **describe_prediction(prediction),
        "given": list(raw),
        "turns": [],
        "attributes": sample["attributes"],
        "seconds": None,
        **({"votes": sample["votes"]} if sample.get("votes") else {}),
    }


def _fingerprint(samples: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256 over id and target of every sample, in order: two files about the same ones agree."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps([sample["id"], sample["target"]]).encode() + b"\n")
    return digest.hexdigest()


def check_output(output: Path | None, run: Path | None) -> None:
    """Refuse to write over the run that is read."""
    if output is not None and run is not None and output.resolve() == run.resolve():
        raise UserError(f"{output} is the run that is read", remedy="choose another --output")
