"""Runs and trainings in Weights & Biases, where the environment asks for it: docs/guides/tracking.md."""

from __future__ import annotations

import os

from coabench.support.tracking import TrackedJobs, asked_for


def asked() -> bool:
    """Whether ``COABENCH_WANDB=1``, or a variable of wandb names a mode or a project; not in the mode ``disabled``."""
    wanted = asked_for("COABENCH_WANDB", "WANDB_MODE", "WANDB_PROJECT")
    return wanted and os.environ.get("WANDB_MODE") != "disabled"


plugin = TrackedJobs(asked, "coabench_wandb.tracker:follower")
