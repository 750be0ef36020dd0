"""Plugins that follow jobs, in this process, and a tracker that keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pluggy

from coabench import hookspecs
from coabench.errors import JobError
from coabench.registry.loaded_plugin import LoadedPlugin
from coabench.registry.loader import get_plugins
from coabench.runs.tracking import Follower, Job, Tracker
from coabench.support.tracking import TrackedJobs
from coabench.testing import ScriptedBackbone


class Kept(Tracker):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, job: Job) -> None:
        self.told.append(job)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self.told.append((figures, step))

    def end(self, figures: Mapping[str, float], files: Sequence[Path], status: str, error: str | None) -> None:
        self.told.append((figures, [file.name for file in files], status, error))


class Following(TrackedJobs):
    """The hooks, with a follower that is at hand."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(lambda: True, "")
        self.follower = follower

    def _follower(self) -> Follower:
        return self.follower


@contextmanager
def installed(plugin: TrackedJobs) -> Iterator[LoadedPlugin]:
    """Have a plugin installed for a while."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, "tracked")
    hooks = tuple(caller.name for caller in manager.get_hookcallers(plugin) or ())
    loaded = LoadedPlugin("tracked", "tracked", "coabench-tracked", "1.0", hooks=hooks, manager=manager)
    get_plugins().loaded.append(loaded)
    try:
        yield loaded
    finally:
        get_plugins().loaded.remove(loaded)


class Stumbling(ScriptedBackbone):
    """Fails at the question of a number, once; `coabench.testing.tiny_run` then continues the same run."""

    def __init__(self, at: int) -> None:
        super().__init__(self.answer)
        self.left = at

    def identity(self) -> Mapping[str, Any]:
        return {"script": "stumbling"}

    def answer(self, question: Any) -> str:
        self.left -= 1
        if self.left == 0:
            raise JobError("the power is off")
        return str(question.options[0])
