"""A job in MLflow: one run of MLflow for a run or a training, however often it is continued."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.cache import folder
from coabench.runs.tracking import Follower, Job, Tracker, check_server

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "coabench"
"""The experiment, unless MLFLOW_EXPERIMENT_NAME says otherwise."""

KEY = "coabench.job"
"""The tag by which a run of MLflow is found again where its job is continued."""

STATUSES = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
LONGEST = 5000
"""Characters of a parameter or a tag; MLflow takes 6,000 and more."""

BATCH = 100
"""Parameters that MLflow takes at a time."""


PATIENCE = 60.0
"""Seconds that a process waits for another to make the store."""


class MlflowTracker(Tracker):
    """A run of MLflow."""

    def begin(self, job: Job) -> None:
        """See `Tracker.begin`."""
        self._client, experiment = _connect()
        found = self._client.search_runs([experiment], f"tags.`{KEY}` = '{job.key}'", max_results=1)
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        tags = {KEY: job.key, "coabench.kind": job.kind, "coabench.directory": str(job.directory)[:LONGEST]}
        self._run = self._client.create_run(experiment, tags=tags, run_name=job.name).info.run_id
        self._parameters(job.settings)

    def _parameters(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        known = {name: value for name, value in settings.items() if value is not None}
        parameters = [Param(_name(name), str(value)[:LONGEST]) for name, value in known.items()]
        for start in range(0, len(parameters), BATCH):
            self._client.log_batch(self._run, params=parameters[start : start + BATCH])

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """See `Tracker.log`."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        metrics = [Metric(_name(name), value, now, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def end(self, figures: Mapping[str, float], files: Sequence[Path], status: str, error: str | None) -> None:
        """See `Tracker.end`."""
        if figures:
            self.log(figures, 0)
        for file in files:
            self._client.log_artifact(self._run, str(file))
        if error is not None:
            self._client.set_tag(self._run, "coabench.error", error[:LONGEST])
        self._client.set_terminated(self._run, STATUSES[status])


def _connect() -> tuple[MlflowClient, str]:
    """Return a client and the id of the experiment, which is made where it is not there."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read where it is imported
    from mlflow import MlflowClient, get_tracking_uri

    check_server(get_tracking_uri())
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    with _alone():
        client = MlflowClient()
        experiment = client.get_experiment_by_name(name)
        return client, str(experiment.experiment_id if experiment else client.create_experiment(name))


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time open the store: two that make the tables of a new SQLite file leave it unusable."""
    from filelock import FileLock

    with ExitStack() as stack:
        with suppress(OSError):  # the folder cannot be written, or the other takes too long
            folder().mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder() / "mlflow.lock", timeout=PATIENCE))
        yield


def _name(name: str) -> str:
    """Return a name with the characters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)


follower = Follower("MLflow", "mlflow", MlflowTracker)
