"""What to score, and whether the options that say so fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coabench.errors import UserError
from coabench.registry.parsers import find_parser
from coabench.scoring.label_values import Codes


@dataclass(frozen=True)
class Scoring:
    """What to score, as options of the command line.

    Attributes:
        predictions: the file.
        format: a name in `coabench.scoring.formats.files.FORMATS`; None for the one that is recognised.
        labels: a data set's name, its card, or a short name; None with *like* or *dataset*, which have their own.
        prediction_column: one column, or two with a comma: the two basic emotions; None for that of the format.
        target_column: likewise.
        id_column: None for that of the format, if it is there.
        probability_columns: instead of *prediction_column*: columns called like labels, or ``LABEL=COLUMN``.
        logits: whether these hold logits.
        codes: what numbers mean.
        parser: a registered name: predictions are sentences.
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
    format: str | None = None
    prediction_column: str | None = None
    target_column: str | None = None
    id_column: str | None = None
    probability_columns: str | None = None
    logits: bool = False
    codes: Codes = "card"
    parser: str | None = None
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

    def check(self) -> None:
        """Check that the options fit together.

        Raises:
            UserError: naming one that does not.
        """
        if self.like is not None and self.dataset is not None:
            raise UserError("--like and --dataset both say which samples these are", remedy="choose one of them")
        if self.like is not None or self.dataset is not None:
            known_by_then = {
                "--image-column": self.image_column,
                "--subject-column": self.subject_column,
                "--attribute": self.attributes,
            }
            source = "--like" if self.like is not None else "--dataset"
            _refuse(known_by_then, f"with {source} images and attributes are those of its samples")
        elif self.labels is None:
            raise UserError(
                "which labels are these?",
                expected="--labels NAME|CARD.yaml, --like RUN or --dataset NAME",
                remedy="add --labels compound (RAF-DB's compound emotions), --labels basic, or another data set's name",
            )
        if self.dataset is None:
            of_dataset = {"--data-root": self.data_root, "--split": self.split, "--set": self.options}
            _refuse(of_dataset, "it belongs to --dataset")
        if self.probability_columns is None:
            _refuse({"--logits": self.logits}, "it belongs to --probability-columns")
        else:
            _refuse({"--prediction-column": self.prediction_column, "--parser": self.parser},
                    "with --probability-columns the best-scored label is the prediction")  # fmt: skip
        if self.parser is not None:
            find_parser(self.parser)


def _refuse(options: Mapping[str, Any], why: str) -> None:
    for option, value in options.items():
        if value:
            raise UserError(f"{option} does not fit: {why}", remedy=f"leave {option} out")
