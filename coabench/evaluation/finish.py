"""How a run ends, whichever job makes it: metrics, and the observers of plugins."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from coabench.base import environment
from coabench.base.texts import Texts
from coabench.cropping.step import MissingFaces
from coabench.evaluation.progress import Progress
from coabench.runs.identity import RunIdentity
from coabench.runs.observers import failure_reported, notify
from coabench.runs.result import FinishedRun
from coabench.runs.run import Run

BATCH = 1024
"""Records that are written at a time, where they are known beforehand."""


def finish(run: Run, progress: Progress) -> FinishedRun:
    """Compute the metrics of a run whose records are all there; mark it complete, unless it was before."""
    from coabench.runs.metrics import compute_metrics

    times, faces = _Times(), MissingFaces()

    def watch(record: Mapping[str, Any]) -> None:
        times.add(record)
        faces.add(record)

    failures: list[str] = []
    metrics = compute_metrics(run.directory, run.manifest["labels"], failures.append, watch)
    for failure in failures:
        progress.note(failure)
    if not run.complete:
        for failure in failures:
            run.record_failure(failure)
        for note in faces.notes():
            progress.note(note)
            run.manifest["notes"].append(note)
        run.finish(metrics, **times.facts())
        notify(progress.note, "coabench_run_finished", run=run, metrics=metrics)
    return FinishedRun(run.directory, run.manifest, metrics)


def store(
    directory: Path | None,
    identity: RunIdentity,
    labels: Mapping[str, Any],
    notes: Sequence[str],
    records: Iterable[Mapping[str, Any]],
    *,
    overwrite: bool,
    command: Sequence[str],
    progress: Progress,
    training: Mapping[str, Any] | None = None,
) -> FinishedRun:
    """Make a run of records that are known beforehand: no model answers, so nothing is timed.

    Args:
        directory: the run directory; None for one below ``results`` named after the identity.
        labels: the label space, as a manifest describes it.
        notes: what the user should know, in sentences.
        records: all of them, in the order of the samples; they are read twice, and none is kept.
        training: of the weights that answered, as a manifest has it.

    Raises:
        UserError: what `Run` refuses, or a label that is not among *labels*; nothing was written.
        JobError: the disk is full or gone; the same command continues.
    """
    ids = _checked_ids(records, labels["names"])
    name = identity.folder_name([identity.dataset.name, identity.strategy.name, identity.backbone.name])
    directory = directory or Path("results") / name
    trained = {"training": dict(training)} if training else {}
    manifest = {"identity": identity.to_json(), **trained, "labels": labels, "notes": list(notes)}
    opened = Run(directory, manifest, ids, overwrite=overwrite)
    with failure_reported(opened, progress.note) as run:
        for note in notes:
            progress.note(note)
        if run.complete:
            progress.note(f"{directory} is already complete: nothing to do")
        else:
            session: dict[str, Any] = {"command": list(command), "batch_size": None, "device": None, "backbone": {}}
            run.start({**session, "environment": environment.describe()})
            notify(progress.note, "coabench_run_started", run=run)
            missing = islice(records, run.done, None)
            while batch := list(islice(missing, BATCH)):
                run.append(batch)
                for record in batch:
                    notify(progress.note, "coabench_sample_predicted", run=run, record=record)
        return finish(run, progress)


def _checked_ids(records: Iterable[Mapping[str, Any]], names: Sequence[str]) -> Texts:
    """Return the ids of records whose labels are all among *names*; `UserError` where there are none, or others."""
    from coabench.metrics.predictions import Reading

    ids, reading = Texts(), Reading(names)
    for record in records:
        reading.add(record)
        ids.append(str(record["id"]))
    reading.check()
    return ids


class _Times:
    """The manifest's ``seconds`` and ``images_per_second``; None where records were not timed."""

    def __init__(self) -> None:
        self._seconds, self._records = array("d"), 0

    def add(self, record: Mapping[str, Any]) -> None:
        self._records += 1
        if (seconds := record.get("seconds")) is not None:
            self._seconds.append(seconds)

    def facts(self) -> dict[str, float | None]:
        if len(self._seconds) < self._records:
            return {"seconds": None, "images_per_second": None}
        seconds = sum(self._seconds)
        return {"seconds": round(seconds, 3), "images_per_second": round(self._records / max(seconds, 1e-9), 3)}
