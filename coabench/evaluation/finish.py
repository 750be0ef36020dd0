"""How a run ends, whichever job makes it: metrics, and the observers of plugins."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base import environment
from coabench.errors import JobError
from coabench.evaluation.progress import Progress
from coabench.registry.loader import get_plugins
from coabench.runs.identity import RunIdentity
from coabench.runs.run import Run, read_records


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: where it is, its manifest and its metrics."""

    directory: Path
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]

    def __repr__(self) -> str:
        """Return the main figures in a line; the manifest would fill a page."""
        metrics = self.metrics
        low, high = metrics["uar_interval"]
        return (
            f"<run {self.directory}: {metrics['samples']} samples, UAR {metrics['uar']:.2%} "
            f"[{low:.2%}, {high:.2%}], WAR {metrics['war']:.2%}, {metrics['invalid']} invalid>"
        )


def finish(run: Run, progress: Progress) -> FinishedRun:
    """Compute the metrics of a run whose records are all there; mark it complete, unless it was before."""
    from coabench.metrics.summary import summarise

    labels, digest = run.manifest["labels"], hashlib.sha256()
    times, given = _Times(), _Given() if get_plugins().metrics else None

    def records() -> Iterator[Mapping[str, Any]]:
        for record in read_records(run.directory, digest):
            times.add(record)
            if given is not None:
                given.add(record)
            yield record

    metrics = summarise(records(), labels)  # one pass over the log, for whatever needs one
    metrics["log_sha256"] = digest.hexdigest()
    metrics["plugins"] = {} if given is None else _plugin_metrics(given, labels, progress)
    if not run.complete:
        run.finish(metrics, **times.facts())
        notify(progress, "coabench_run_finished", run=run, metrics=metrics)
    return FinishedRun(run.directory, run.manifest, metrics)


def store(
    directory: Path | None,
    identity: RunIdentity,
    labels: Mapping[str, Any],
    notes: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    *,
    overwrite: bool,
    command: Sequence[str],
    progress: Progress,
) -> FinishedRun:
    """Make a run of records that are known beforehand: no model answers, so nothing is timed.

    Args:
        directory: the run directory; None for one below ``results`` named after the identity.
        labels: the label space, as a manifest describes it.
        notes: what the user should know, in sentences.
        records: all of them, in the order of the samples.

    Raises:
        UserError: what `Run` refuses; nothing was written.
        JobError: the disk is full or gone; the same command continues.
    """
    name = identity.folder_name([identity.dataset.name, identity.strategy.name, identity.backbone.name])
    directory = directory or Path("results") / name
    manifest = {"identity": identity.to_json(), "labels": labels, "notes": list(notes)}
    with Run(directory, manifest, [str(record["id"]) for record in records], overwrite=overwrite) as run:
        for note in notes:
            progress.note(note)
        if run.complete:
            progress.note(f"{directory} is already complete: nothing to do")
        else:
            session: dict[str, Any] = {"command": list(command), "batch_size": None, "device": None, "backbone": {}}
            run.start({**session, "environment": environment.describe()})
            notify(progress, "coabench_run_started", run=run)
            missing = records[run.done :]
            try:
                run.append(missing)
            except JobError as error:
                run.fail(str(error))
                raise
            for record in missing:
                notify(progress, "coabench_sample_predicted", run=run, record=record)
        return finish(run, progress)


def notify(progress: Progress, hook: str, **arguments: Any) -> None:
    """Call an observer hook of every plugin; one that fails is reported and left out."""
    for problem in get_plugins().notify(hook, **arguments):
        progress.note(problem)


class _Times:
    """The manifest's ``seconds`` and ``images_per_second``; None where records were not timed."""

    def __init__(self) -> None:
        self._seconds, self._records = array("d"), 0

    def add(self, record: Mapping[str, Any]) -> None:
        self._records += 1
        if record["seconds"] is not None:
            self._seconds.append(record["seconds"])

    def facts(self) -> dict[str, float | None]:
        if len(self._seconds) < self._records:
            return {"seconds": None, "images_per_second": None}
        seconds = sum(self._seconds)
        return {"seconds": round(seconds, 3), "images_per_second": round(self._records / max(seconds, 1e-9), 3)}


class _Given:
    """What the metrics of plugins are given: the targets and the predictions, each label's text once."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.predictions: list[str | None] = []
        self._texts: dict[Any, Any] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        once = self._texts.setdefault
        self.targets.append(once(record["target"], record["target"]))
        self.predictions.append(once(record["prediction"], record["prediction"]))


def _plugin_metrics(given: _Given, labels: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Return what the registered metrics say; one that fails is reported and left out."""
    results: dict[str, Any] = {}
    for name, registration in get_plugins().metrics.items():
        try:
            value = registration.load()(list(given.targets), list(given.predictions), labels)
            json.dumps(value, allow_nan=False)
            results[name] = value
        except Exception as error:
            progress.note(f"metric {name!r} of plugin {registration.plugin!r} failed: {type(error).__name__}: {error}")
    return results
