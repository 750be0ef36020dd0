"""A job in Weights & Biases: one run of theirs for a run or a training, however often it is continued."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.errors import UserError
from coabench.runs.tracking import Follower, Job, Tracker, check_server

PROJECT = "coabench"
"""The project, unless WANDB_PROJECT says otherwise."""

EXIT_CODES = {"complete": 0, "failed": 1, "stopped": 130}


class WandbTracker(Tracker):
    """A run of Weights & Biases."""

    def begin(self, job: Job) -> None:
        """See `Tracker.begin`."""
        wandb = _wandb()
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=hashlib.sha256(job.key.encode()).hexdigest()[:16],
            resume="allow",
            reinit="create_new",  # a stress writes several runs at a time
            name=job.name,
            job_type=job.kind,
            config={**job.settings, "directory": str(job.directory)},
            settings=wandb.Settings(
                console="off",  # standard output is for data, standard error coabench's own
                silent=True,
                disable_code=True,
                disable_git=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
            ),
        )

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """See `Tracker.log`."""
        self._run.log({**figures}, step=step)

    def end(self, figures: Mapping[str, float], files: Sequence[Path], status: str, error: str | None) -> None:
        """See `Tracker.end`."""
        self._run.summary.update({**figures, "status": status, **({"error": error} if error else {})})
        for file in files:
            copy = Path(self._run.dir) / file.name  # a file elsewhere would be linked, and folders move
            shutil.copyfile(file, copy)
            self._run.save(str(copy), base_path=self._run.dir, policy="now")
        self._run.finish(exit_code=EXIT_CODES[status])


def _wandb() -> Any:
    """Return the module, logged in where it is to reach its server, which is there: wandb itself would try for long."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    if os.environ.get("WANDB_MODE", "online") != "online":
        return wandb
    check_server(wandb.setup().settings.base_url)
    if not wandb.login(prompt=False):
        raise UserError("Weights & Biases has no key here", remedy="run `wandb login`, or set WANDB_MODE=offline")
    return wandb


follower = Follower("Weights & Biases", "wandb", WandbTracker)
