"""Runs and trainings as tracking services hold them: settings, figures by step, files, how they ended.

A plugin brings a `Tracker`, which talks to its service in a thread; a `Follower` turns what observers hear into its
calls. Nothing here waits for a service but the end of a job, and that not for long.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from coabench.base.vocabulary import COMPLETE
from coabench.errors import JobError, UserError
from coabench.hookspecs import Run, Training
from coabench.metrics.headline import FIGURES
from coabench.runs.adapter import MANIFEST as TRAINING
from coabench.runs.identity import RunIdentity
from coabench.runs.metrics import further_figures
from coabench.runs.run import MANIFEST, METRICS
from coabench.runs.training_identity import TrainingIdentity
from coabench.support.background import Background

EVERY = 10.0
"""Seconds between two reports of a run's progress."""

PATIENCE = 30.0
"""Seconds that the end of a job waits for a service."""

ANSWER = 5.0
"""Seconds that a server has to accept a connection."""


@dataclass(frozen=True)
class Job:
    """A run or a training, as it begins or is continued.

    Attributes:
        kind: ``run`` or ``training``.
        key: the same for all sessions of the job, and for no other job.
        name: that of its folder.
        settings: what was done, by name: texts, numbers, None.
    """

    kind: str
    key: str
    name: str
    directory: Path
    settings: Mapping[str, Any]


class Tracker(ABC):
    """Talks to a service about one job; all calls come from one thread."""

    @abstractmethod
    def begin(self, job: Job) -> None:
        """Begin the job there, or continue the one of the same key."""

    @abstractmethod
    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add figures of a step: of so many samples, or steps of a training."""

    @abstractmethod
    def end(self, figures: Mapping[str, float], files: Sequence[Path], status: str, error: str | None) -> None:
        """End the job.

        Args:
            figures: of the job as a whole.
            files: to keep with it.
            status: ``complete``, ``failed`` or ``stopped``.
            error: why, where it is not complete.
        """


@dataclass
class _Followed:
    """A job at work."""

    tracker: Tracker
    calls: Background
    done: int
    reported: float = field(default_factory=time.monotonic)


class Follower:
    """Reports jobs to a service.

    Args:
        service: what it is called.
        package: what its tracker imports; also the name of the extra that brings it.
        tracker: makes a `Tracker` for a job.
    """

    def __init__(self, service: str, package: str, tracker: Callable[[], Tracker]) -> None:
        self._service, self._package, self._tracker = service, package, tracker
        self._jobs: dict[Path, _Followed] = {}

    def run_started(self, run: Run) -> None:
        """Begin to follow a run."""
        self._begin("run", run, dict(run_settings(run.manifest)), run.done)

    def training_started(self, training: Training) -> None:
        """Begin to follow a training."""
        self._begin("training", training, dict(training_settings(training.manifest)), 0)

    def sample_predicted(self, run: Run) -> None:
        """Count a sample; now and then, report the count."""
        if (job := self._jobs.get(run.directory)) is not None:
            job.done += 1
            if time.monotonic() - job.reported >= EVERY:
                job.reported = time.monotonic()
                job.calls.call(job.tracker.log, {"progress": float(job.done)}, job.done)

    def training_step(self, training: Training, step: int, logs: Mapping[str, Any]) -> None:
        """Report a line of a training's log; figures on the development part are ``dev.NAME``."""
        if (job := self._jobs.get(training.directory)) is not None:
            figures = {name: float(value) for name, value in logs.items()}
            if "uar" in figures:
                figures = {name if name in ("epoch", "seconds") else _of_dev(name): v for name, v in figures.items()}
            job.calls.call(job.tracker.log, figures, step)

    def run_finished(self, run: Run, metrics: Mapping[str, Any]) -> None:
        """Report figures and files of a run, and end it."""
        files = [run.directory / MANIFEST, run.directory / METRICS]
        self._end(run, dict(run_figures(metrics)), files, COMPLETE)

    def training_finished(self, training: Training, results: Mapping[str, Any]) -> None:
        """Report what came out of a training, and end it."""
        figures = {f"selected.{_of_dev(name)}": float(value) for name, value in (results.get("dev") or {}).items()}
        figures |= {
            name: float(results[name]) for name in ("selected_step", "trainable") if results.get(name) is not None
        }
        self._end(training, figures, [training.directory / TRAINING], COMPLETE)

    def failed(self, job: Run | Training, error: str) -> None:
        """End a run or a training that failed, or was stopped."""
        status = "stopped" if error.startswith("stopped by ") else "failed"
        self._end(job, {}, [], status, error)

    def _begin(self, kind: str, job: Run | Training, settings: Mapping[str, Any], done: int) -> None:
        spec = find_spec(self._package)
        if spec is None or spec.origin is None:  # a folder of that name here, of wandb's files say, is no package
            raise UserError(
                f"{self._service} is asked for, and the package {self._package} is not installed",
                remedy=f"pip install 'coabench[{self._package}]', or set COABENCH_{self._package.upper()}=0",
            )
        followed = _Followed(self._tracker(), Background(self._service), done)
        self._jobs[job.directory] = followed
        key = f"{settings['identity']}/{job.manifest['started']}"
        directory = job.directory.resolve()
        followed.calls.call(followed.tracker.begin, Job(kind, key, directory.name, directory, settings))

    def _end(
        self,
        job: Run | Training,
        figures: Mapping[str, float],
        files: Sequence[Path],
        status: str,
        error: str | None = None,
    ) -> None:
        followed = self._jobs.pop(job.directory, None)
        if followed is None:
            return
        if followed.done:
            followed.calls.call(followed.tracker.log, {"progress": float(followed.done)}, followed.done)
        followed.calls.call(followed.tracker.end, figures, files, status, error)
        if not followed.calls.end(PATIENCE):
            raise JobError(f"{self._service} has not taken all about {job.directory} within {PATIENCE:.0f} seconds")


def _of_dev(name: str) -> str:
    """Return what a figure on the development part is called; that of one data set is ``dev.uar.NAME``."""
    return "dev." + name.replace(" ", ".")


def check_server(uri: str) -> None:
    """Raise `ConnectionError` where a store is a server that accepts no connection: clients try for minutes.

    What a proxy leads to cannot be seen from here, and a store in files needs no server.
    """
    address = urlsplit(uri)
    if address.scheme not in ("http", "https") or address.scheme in getproxies():
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), ANSWER).close()
    except OSError as error:
        raise ConnectionError(f"no server answers at {address.hostname}:{port} ({error.strerror or error})") from None


def run_settings(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a run was made with, leaf by leaf."""
    identity = RunIdentity.read(manifest["identity"])
    columns = identity.columns()
    settings = columns.pop("settings")
    yield from columns.items()
    yield from (("coabench", identity.coabench), ("identity", identity.digest))
    for name, value in settings.items():
        yield f"settings.{name}", value


def training_settings(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a training was made with, leaf by leaf."""
    identity = TrainingIdentity.read(manifest["identity"])
    yield from (("backbone", identity.backbone.name), ("model", identity.backbone.model), ("seed", identity.seed))
    yield "strategy", ", ".join(strategy.name for strategy in identity.strategies)
    yield "dataset", ", ".join(f"{part.dataset}/{part.split}" for part in identity.data)
    yield from (("steps", manifest.get("steps")), ("examples", manifest.get("examples")))
    yield from (("coabench", identity.coabench), ("identity", identity.digest))
    for name, value in {**identity.recipe, **identity.trainer}.items():
        yield f"settings.{name}", value


def run_figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the figures of a run, each with the ends of its interval."""
    for figure in (*FIGURES, *further_figures(metrics)):
        for name, value in figure.columns(figure.read(metrics)).items():
            if value is not None:
                yield name.replace(":", "_"), float(value)
    for name in ("samples", "invalid_rate", "errors"):
        yield name, float(metrics[name])
