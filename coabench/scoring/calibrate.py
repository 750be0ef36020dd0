"""The calibrate job: a run's confidence, corrected by what was fitted on another run. No label changes.

``temperature`` corrects the probability of every label, so it needs runs that have these:
`coabench.metrics.distributions.distribution_of`. ``platt`` and ``isotonic`` correct one number, the confidence in what
was concluded, over however many questions: `coabench.metrics.calibration.confidence_of`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coabench.base.files import sha256_of
from coabench.base.reading import is_folder
from coabench.base.schema import At, read_fields
from coabench.base.vocabulary import SUBJECT
from coabench.errors import UserError
from coabench.evaluation.finish import store
from coabench.evaluation.progress import Progress, Silence
from coabench.metrics.calibration import confidence_of
from coabench.metrics.calibrators import METHODS, Calibrator, Temperature
from coabench.metrics.confidences import ConfidenceFigures, Confidences, is_right
from coabench.metrics.distributions import distribution_of
from coabench.metrics.predictions import Predicted
from coabench.metrics.stored import StoredCalibration
from coabench.runs.finished import RecordedRun, read_run
from coabench.runs.identity import CalibrationIdentity, RunIdentity
from coabench.runs.result import FinishedRun
from coabench.runs.run import LOG
from coabench.runs.stored import changed
from coabench.scoring.calibration_file import CalibrationFile, Effect, Fitted, mark_of_name, marks_of
from coabench.scoring.job import check_output

LEAST = 30
"""Samples with a confidence that a fit needs."""

MANY = 1_000
"""Below so many samples isotonic regression follows chance; so scikit-learn's user guide on calibration."""

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Calibrating:
    """What to calibrate, as options of the command line.

    Attributes:
        source: a run to fit on, or a file that an earlier fit wrote.
        method: one of `METHODS`; None for temperature, or what the file says.
        part: the part of the samples to fit on; the figures before and after are then of the others.
        seed: of the choice of that part.
        save: the file to write.
        apply: the runs to correct.
        output: the new run directory, where there is one run to correct; None for one below ``results``.
    """

    source: Path
    method: str | None = None
    part: float | None = None
    seed: int = 0
    save: Path | None = None
    apply: Sequence[Path] = ()
    output: Path | None = None
    overwrite: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibrated:
    """What came of it: the calibration, and the new runs, each with the run that it corrects."""

    calibration: CalibrationFile
    runs: Sequence[tuple[Path, FinishedRun]]


def calibrate(request: Calibrating, progress: Progress | None = None) -> Calibrated:
    """Fit a calibration, or read one; write it; make runs of the runs that it is applied to.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the file or a run could not be written.
    """
    if request.output is not None and len(request.apply) != 1:
        raise UserError(
            "--output is the folder of one new run", expected="one --apply", found=str(len(request.apply)),
            remedy="leave --output out: the runs go below results/",
        )  # fmt: skip
    if is_folder(request.source):
        if request.save is None and not request.apply:
            raise UserError(
                "there is nothing to do with the calibration", remedy="add --save FILE.json, --apply RUN, or both"
            )
        calibration = fit(read_run(request.source), request.method or Temperature.name, request.part, request.seed)
    else:
        calibration = _read(request)
    targets = [(path, read_run(path)) for path in request.apply]
    for path, run in targets:
        check_output(request.output, path)
        _check_fits(calibration, run)
    if request.save is not None:
        calibration.write(request.save)
    made = [(path, _apply(calibration, run, request, progress or Silence())) for path, run in targets]
    return Calibrated(calibration, made)


def _read(request: Calibrating) -> CalibrationFile:
    calibration = CalibrationFile.read(request.source)
    chosen = {"--method": request.method, "--part": request.part, "--save": request.save}
    typed = [option for option, value in chosen.items() if value is not None]
    if typed:
        raise UserError(
            f"{typed[0]} does not fit: {request.source} is a calibration that was fitted already",
            remedy=f"leave {typed[0]} out, or name a run to fit on",
        )
    if not request.apply:
        raise UserError(f"what is {request.source} to be applied to?", remedy="add --apply RUN")
    return calibration


def fit(run: RecordedRun, method: str, part: float | None = None, seed: int = 0) -> CalibrationFile:
    """Fit a calibration on a run.

    Raises:
        UserError: the run has no confidence, is calibrated itself, has too few samples, or all right or all wrong.
    """
    names = run.manifest["labels"]["names"]
    _check_confident(run, method)
    chosen = _chosen(run.records, part, seed)
    confident = [record for record in chosen if confidence_of(record) is not None]
    if len(confident) < LEAST:
        raise UserError(
            f"too few samples to fit on: {len(confident)}",
            expected=f"{LEAST} or more that have a confidence",
            remedy="fit on a larger run" if part is None else "fit on a larger --part",
        )
    right = np.array([is_right(record) for record in confident], dtype=np.float64)
    if right.min() == right.max():
        raise UserError(
            f"of the {len(right)} samples to fit on, {'all are' if right[0] else 'none is'} right",
            expected="some right and some wrong: else no finite correction is the best",
            remedy="fit on a run with both",
        )
    calibrator = _fitted(method, confident, right, names)
    kept = {record["id"] for record in chosen}
    marks = (mark for record in chosen for mark in (*marks_of(run, record), mark_of_name(run, record)))
    held_out = [record for record in run.records if record["id"] not in kept]
    measured = held_out if any(confidence_of(record) is not None for record in held_out) else confident
    corrected = [_corrected(record, calibrator, names) for record in measured]
    before, after = figures_of(measured, names), figures_of(corrected, names)
    identity = run.identity
    fitted = Fitted(
        run=run.directory.resolve().name, identity=identity.digest, log_sha256=sha256_of(run.directory / LOG),
        backbone=identity.backbone.title, weights=_weights(identity), strategy=identity.strategy.name,
        questions=_questions(identity), labels=tuple(names), part=part, seed=None if part is None else seed,
        samples=len(confident), marks=tuple(dict.fromkeys(filter(None, marks))),
    )  # fmt: skip
    effect = Effect(held_out=measured is held_out, before=_stored(before), after=_stored(after))
    return CalibrationFile.of(calibrator, fitted, effect)


def _fitted(method: str, records: Records, right: np.ndarray[Any, Any], names: Sequence[str]) -> Calibrator:
    if method == Temperature.name:
        known = [distribution for record in records if (distribution := distribution_of(record, names)) is not None]
        return Temperature.fit(known, [record["target"] for record in records])
    confidences = np.array([confidence_of(record) for record in records], dtype=np.float64)
    return METHODS[method].fit(confidences, right)  # type: ignore[arg-type]  # temperature's is above


def _check_confident(run: RecordedRun, method: str) -> None:
    """Refuse a run that has no confidence for the method to correct, or whose confidence is corrected already."""
    if run.identity.calibration is not None:
        raise UserError(
            f"{run.directory} is calibrated already", found=run.identity.calibration.title,
            remedy=f"take the run that it was made of, {run.identity.calibration.applied.get('run')}",
        )  # fmt: skip
    names = run.manifest["labels"]["names"]
    Predicted.of(run.records, names)  # which refuses labels that are none of these
    confident = [record for record in run.records if confidence_of(record) is not None]
    if not confident:
        raise UserError(
            f"{run.directory} has no confidence to calibrate",
            expected="a score for every option",
            found=f"decode {run.identity.decode}, strategy {run.identity.strategy.name}",
            remedy="evaluate with --decode score, and a strategy that has a confidence",
        )
    without = sum(distribution_of(record, names) is None for record in confident)
    if method == Temperature.name and without:
        raise UserError(
            f"a temperature corrects the probability of every label, which {without} of {len(confident)} samples of "
            f"{run.directory} have not",
            expected="one scored question with all labels among its options, or a strategy that states "
            "log_probabilities",
            found=f"strategy {run.identity.strategy.name}",
            remedy="take --method platt or isotonic: they correct the confidence in what was concluded",
        )


def _chosen(records: Records, part: float | None, seed: int) -> Records:
    """Return the samples to fit on: a part of each label, or whole persons where the samples name them."""
    if part is None:
        return records
    subject = any((record.get("attributes") or {}).get(SUBJECT) is not None for record in records)
    units: dict[str, dict[str, None]] = {}
    for record in records:
        who = str((record.get("attributes") or {}).get(SUBJECT) or record["id"])
        units.setdefault("" if subject else record["target"], {})[who] = None
    chosen = set()
    for stratum in units.values():
        order = sorted(stratum, key=lambda who: hashlib.sha256(f"{seed}\0{who}".encode("utf-8", "replace")).digest())
        chosen.update(order[: math.floor(part * len(order) + 0.5)])
    return [r for r in records if str((r.get("attributes") or {}).get(SUBJECT) or r["id"]) in chosen]


def _questions(identity: RunIdentity) -> str:
    """Return the digest of what was asked, whichever plugin brought it."""
    strategy = replace(identity.strategy, plugin=None, plugin_version=None)
    return _digest([strategy.to_json(), identity.decode])


def _weights(identity: RunIdentity) -> str:
    return _digest(replace(identity.backbone, plugin_version=None).to_json())


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _check_fits(calibration: CalibrationFile, run: RecordedRun) -> None:
    """Refuse a run that the calibration says nothing about, or that it would flatter."""
    fitted, names = calibration.fitted, run.manifest["labels"]["names"]
    _check_confident(run, calibration.method)
    if list(fitted.labels) != list(names):
        raise UserError(
            f"the calibration is not for the labels of {run.directory}",
            expected=", ".join(fitted.labels), found=", ".join(names), remedy="fit on a run with the same labels",
        )  # fmt: skip
    if fitted.questions != _questions(run.identity):
        raise UserError(
            f"the calibration is not for the questions of {run.directory}",
            expected=f"strategy {fitted.strategy}, asked as in {fitted.run}",
            found=f"strategy {run.identity.strategy.name}, --decode {run.identity.decode}",
            remedy="fit on a run that was asked the same",
        )
    marks = set(fitted.marks)
    shared = sum(not marks.isdisjoint(marks_of(run, record)) for record in run.records)
    if shared:
        raise UserError(
            f"the calibration was fitted on {shared} of the {len(run.records)} samples of {run.directory}: it would "
            "look better than it is",
            expected="other samples",
            remedy="fit on another split, or another data set with these labels",
        )


def _apply(calibration: CalibrationFile, run: RecordedRun, request: Calibrating, progress: Progress) -> FinishedRun:
    names, calibrator, fitted = run.manifest["labels"]["names"], calibration.calibrator, calibration.fitted
    records = changed(run.records, lambda record: {**_corrected(record, calibrator, names), "seconds": None})
    before, after = figures_of(run.records, names), figures_of(records, names)
    name = run.directory.resolve().name
    notes = [
        *run.manifest.get("notes", ()),
        f"calibrated by {calibration.method}, fitted on {fitted.samples} samples of the run {fitted.run}: the "
        f"confidence of the run {name} is corrected, its labels are the same; no model was asked",
        f"expected calibration error before: {before.calibration.ece:.2%}, after: {after.calibration.ece:.2%}",
    ]
    if fitted.weights != _weights(run.identity):
        notes.append(f"the calibration was fitted on another backbone, other weights or options: {fitted.backbone}")
    marks = set(fitted.marks)
    if namesakes := sum(mark_of_name(run, record) in marks for record in run.records):
        notes.append(
            f"the ids of {namesakes} of {len(records)} samples are among those fitted on: if the samples are the same, "
            "the calibration looks better than it is"
        )
    if calibration.method == "isotonic" and fitted.samples < MANY:
        notes.append(f"isotonic regression follows chance where it is fitted on fewer than {MANY:,} samples")
    identity = replace(
        run.identity,
        calibration=CalibrationIdentity(
            method=calibration.method,
            parameters=calibration.parameters,
            fitted={"run": fitted.run, "identity": fitted.identity, "samples": fitted.samples},
            applied={"run": name, "log_sha256": sha256_of(run.directory / LOG)},
        ),
    )
    return store(
        request.output, identity, run.manifest["labels"], notes, records,
        overwrite=request.overwrite, command=request.command, progress=progress,
        training=run.manifest.get("training"),
    )  # fmt: skip


def _corrected(record: Mapping[str, Any], calibrator: Calibrator, names: Sequence[str]) -> Mapping[str, Any]:
    """Return a record with its confidence corrected, in its ``details``; its turns stay what the model said."""
    confidence = confidence_of(record)
    if confidence is None:
        return record
    details = {**(record.get("details") or {})}
    if isinstance(calibrator, Temperature):
        known = distribution_of(record, names)
        assert known is not None  # _check_confident has refused the run
        made = calibrator.distribution(known)
        details["log_probabilities"] = {o: max(round(p, 6), -1e9) for o, p in made.items() if o is not None}
        concluded = record["prediction"] or (record["turns"][0]["label"] if record["turns"] else None)
        details["confidence"] = min(1.0, math.exp(made.get(concluded, max(made.values()))))
    else:
        details.pop("log_probabilities", None)  # of what was not corrected
        details["confidence"] = float(np.clip(calibrator.confidence(np.array([confidence])), 0, 1)[0])
    return {**record, "details": details}


def figures_of(records: Records, names: Sequence[str]) -> ConfidenceFigures:
    """Return the figures of confidence of records, some of which have one."""
    confidences = Confidences(names)
    for record in records:
        confidences.add(record)
    assert confidences.figures is not None
    return confidences.figures


def _stored(figures: ConfidenceFigures) -> StoredCalibration:
    return read_fields(StoredCalibration, figures.to_json(), At("calibration"))
