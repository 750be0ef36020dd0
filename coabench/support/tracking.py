"""What a plugin that follows jobs in a tracking service (MLflow, Weights & Biases) puts at its entry point.

It is imported at every start, so that it imports nothing: a `coabench.runs.tracking.Follower` does the work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from coabench.hookspecs import Run, Training, hookimpl

if TYPE_CHECKING:
    from coabench.runs.tracking import Follower


class TrackedJobs:
    """The hooks of such a plugin; they do nothing unless the user asked for it."""

    def __init__(self, asked: Callable[[], bool], follower: str) -> None:
        """Begin to listen.

        Args:
            asked: whether the user wants jobs to be followed; asked anew where a job begins.
            follower: the `Follower`, as ``"module:attribute"``; imported with the first job that is followed.
        """
        self._asked, self._target = asked, follower

    def _follower(self) -> Follower:
        module, _, attribute = self._target.partition(":")
        follower: Follower = getattr(import_module(module), attribute)
        return follower

    @hookimpl
    def coabench_run_started(self, run: Run) -> None:
        if self._asked():
            self._follower().run_started(run)

    @hookimpl
    def coabench_sample_predicted(self, run: Run) -> None:
        if self._asked():
            self._follower().sample_predicted(run)

    @hookimpl
    def coabench_run_finished(self, run: Run, metrics: Mapping[str, Any]) -> None:
        if self._asked():
            self._follower().run_finished(run, metrics)

    @hookimpl
    def coabench_run_failed(self, run: Run, error: str) -> None:
        if self._asked():
            self._follower().failed(run, error)

    @hookimpl
    def coabench_training_started(self, training: Training) -> None:
        if self._asked():
            self._follower().training_started(training)

    @hookimpl
    def coabench_training_step(self, training: Training, step: int, logs: Mapping[str, Any]) -> None:
        if self._asked():
            self._follower().training_step(training, step, logs)

    @hookimpl
    def coabench_training_finished(self, training: Training, results: Mapping[str, Any]) -> None:
        if self._asked():
            self._follower().training_finished(training, results)

    @hookimpl
    def coabench_training_failed(self, training: Training, error: str) -> None:
        if self._asked():
            self._follower().failed(training, error)


def asked_for(switch: str, *variables: str) -> bool:
    """Whether the environment asks for something: *switch* is ``1``, or, where it is not set, one of the others is."""
    if switch in os.environ:
        return os.environ[switch] == "1"
    return any(os.environ.get(name) for name in variables)
