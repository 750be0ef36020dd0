"""Runs and trainings in MLflow, where the environment asks for it: docs/guides/tracking.md."""

from __future__ import annotations

from coabench.support.tracking import TrackedJobs, asked_for


def asked() -> bool:
    """Whether ``COABENCH_MLFLOW=1``, or a variable of MLflow names its server or store."""
    return asked_for("COABENCH_MLFLOW", "MLFLOW_TRACKING_URI")


plugin = TrackedJobs(asked, "coabench_mlflow.tracker:follower")
