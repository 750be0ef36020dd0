"""Which columns of a table are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from coabench.base.vocabulary import SUBJECT
from coabench.errors import UserError
from coabench.labels import LabelSpace
from coabench.scoring.formats.table import Table
from coabench.scoring.request import Scoring
from coabench.scoring.score_values import probability_columns


@dataclass(frozen=True)
class Columns:
    """Which columns are read.

    Attributes:
        prediction: one, or two that hold basic emotions; none where scores are read.
        target: likewise; none where the samples themselves have the true labels.
        probabilities: label -> the column of its score.
        attributes: attribute -> its column.
    """

    prediction: Sequence[str]
    target: Sequence[str]
    id: str | None
    image: str | None
    attributes: Mapping[str, str]
    probabilities: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return them as a run's identity has them."""
        described = asdict(self)
        return described if self.probabilities else {k: v for k, v in described.items() if k != "probabilities"}


def columns_of(request: Scoring, table: Table, space: LabelSpace, known: bool) -> Columns:
    """Return the columns to read: those that options name, else those of the format.

    Args:
        known: whether the samples are known without the table.

    Raises:
        UserError: the table does not have them.
    """
    defaults = {"prediction": "prediction", "target": "target", "id": "id", **table.defaults}
    named = request.prediction_column is not None or request.parser is not None
    scored = request.probability_columns is not None or (not named and is_scored(table))
    prediction = request.prediction_column or defaults.get("response" if request.parser else "", defaults["prediction"])
    target = request.target_column or (defaults["target"] if defaults["target"] in table.columns or not known else "")
    columns = Columns(
        prediction=() if scored else _split(prediction, table),
        target=_split(target, table) if target else (),
        id=request.id_column or (defaults["id"] if defaults["id"] in table.columns else None),
        image=request.image_column,
        attributes={name: name for name in request.attributes}
        | ({SUBJECT: request.subject_column} if request.subject_column else {}),
        probabilities=probability_columns(request.probability_columns, table, space)
        if request.probability_columns is not None else {},
    )  # fmt: skip
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


def is_scored(table: Table) -> bool:
    """Whether every row has scores that the tool recorded."""
    return all(row.scores is not None for row in table.rows)


def _split(columns: str, table: Table) -> Sequence[str]:
    """Return ``first,second`` as two columns, unless one column is called just that."""
    return (columns,) if columns in table.columns else tuple(part.strip() for part in columns.split(","))
