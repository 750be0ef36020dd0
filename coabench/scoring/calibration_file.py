"""A calibration as a file: the method, its parameters, what it was fitted on, and what that was worth there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from coabench.base.files import write_json
from coabench.base.json import read_json
from coabench.base.reading import TEXT, why
from coabench.base.schema import At, Count, EachOnce, NotEmpty, Proportion, Text, must, read_fields
from coabench.base.version import __version__
from coabench.errors import UserError
from coabench.metrics.calibrators import METHODS, Calibrator
from coabench.metrics.stored import StoredCalibration
from coabench.runs.finished import RecordedRun

SCHEMA = 1
LIMIT = 16 * TEXT
"""The largest file that is read, in bytes; at most 54 are written for a sample."""

Digest = Annotated[str, must(re.compile(r"[0-9a-f]{64}").fullmatch, "a SHA-256 in hexadecimal digits")]
Mark = Annotated[str, must(re.compile(r"[0-9a-f]{16}").fullmatch, "16 hexadecimal digits")]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a calibration was fitted on.

    Attributes:
        run: the folder's name.
        identity: the digest of the run's identity; *log_sha256*: of its log.
        backbone: its title; *weights*: the digest of all that decides it.
        strategy: its name; *questions*: the digest of strategy and decode mode.
        labels: the labels of the run.
        part, seed: the part of the samples, and what it was drawn by; None where all were taken.
        samples: how many.
        marks: of each sample: the beginning of a hash by which it is known again.
    """

    run: Text
    identity: Digest
    log_sha256: Digest
    backbone: Text
    weights: Digest
    strategy: Text
    questions: Digest
    labels: Annotated[tuple[str, ...], NotEmpty, EachOnce]
    part: Proportion | None = None
    seed: int | None = None
    samples: Count
    marks: Annotated[tuple[Mark, ...], NotEmpty]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The figures before and after, on the same samples as were fitted or (*held_out*) on the rest of the run."""

    held_out: bool
    before: StoredCalibration
    after: StoredCalibration


@dataclass(frozen=True, kw_only=True)
class CalibrationFile:
    """What the file holds."""

    kind: Literal["calibration"]
    schema: int
    coabench: str
    method: Annotated[str, must(METHODS.__contains__, " or ".join(METHODS))]
    parameters: Mapping[str, Any]
    fitted: Fitted
    effect: Effect

    @classmethod
    def of(cls, calibrator: Calibrator, fitted: Fitted, effect: Effect) -> CalibrationFile:
        return cls(
            kind="calibration", schema=SCHEMA, coabench=__version__, method=calibrator.name,
            parameters=asdict(calibrator), fitted=fitted, effect=effect,
        )  # fmt: skip

    @property
    def calibrator(self) -> Calibrator:
        """The calibration itself.

        Raises:
            UserError: the parameters are not those of the method.
        """
        made: Calibrator = read_fields(METHODS[self.method], self.parameters, At("calibration").field("parameters"))
        return made

    @classmethod
    def read(cls, path: Path) -> CalibrationFile:
        """Read a file.

        Raises:
            UserError: it cannot be read, is none, of another schema, or a field does not fit.
        """
        at = At(path, "fit again: coabench calibrate RUN --save FILE.json")
        try:
            data = read_json(path, limit=LIMIT)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} is no calibration that can be read",
                expected="a file that coabench calibrate --save wrote, or the directory of a run",
                found=why(error),
                remedy=at.remedy,
            ) from None
        if isinstance(data, dict) and data.get("kind") == "calibration" and data.get("schema") != SCHEMA:
            raise at.wrong(
                f"schema {data.get('schema')!r} is unknown", f"schema: {SCHEMA}", remedy="use a newer coabench"
            )
        made = read_fields(cls, data, at)
        read_fields(METHODS[made.method], made.parameters, at.field("parameters"))
        return made

    def write(self, path: Path) -> None:
        """Write the file.

        Raises:
            UserError: it cannot be written.
        """
        try:
            write_json(path, asdict(self))
        except OSError as error:
            raise UserError(f"{path} cannot be written", found=why(error), remedy="correct --save") from None


def marks_of(run: RecordedRun, record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return by what a sample is known again: its id within the data set, and its image wherever that stands."""
    names = [f"{run.identity.dataset.fingerprint}\0{record['id']}"]
    if image := record.get("image_sha256"):
        names.append(image)
    return tuple(map(_mark, names))


def mark_of_name(run: RecordedRun, record: Mapping[str, Any]) -> str | None:
    """Return by what a sample may be known again in another file: its id, where it is no number of a row.

    Files with some samples in common have other fingerprints, and perhaps no images; but one id may name two samples.
    """
    source, dataset = run.identity.source, run.identity.dataset
    if source is None or not (source.get("columns") or {}).get("id"):
        return None
    return _mark(f"{dataset.name}\0{dataset.split}\0{record['id']}")


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
