"""The observers of plugins: a job reports to them with copies, so that nothing of it follows what they do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from typing import Any, TypeVar

from coabench.base.vocabulary import STOPPED
from coabench.errors import UserError, first_line
from coabench.registry.loader import get_plugins
from coabench.runs.folder import JobFolder, how_it_ended
from coabench.runs.run import SharedRun

Folder = TypeVar("Folder", bound=JobFolder)


class Observed:
    """A run or a training as observers see it (`coabench.hookspecs.Run`): a copy, whatever they do with it."""

    def __init__(self, job: JobFolder | SharedRun) -> None:
        self.directory = job.directory
        self.done = getattr(job, "done", 0)
        self._job = job

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the manifest holds; copied when it is looked at, which few observers do for every sample."""
        return deepcopy(dict(self._job.manifest))


def notify(note: Callable[[str], None], hook: str, **facts: Any) -> None:
    """Call an observer hook of every plugin; one that fails is noted and recorded, and not called again.

    Args:
        facts: the arguments of the hook.
    """

    def copies(taken: Collection[str]) -> dict[str, Any]:
        return {name: _copy(fact) if name in taken else None for name, fact in facts.items()}

    folders = [fact for fact in facts.values() if isinstance(fact, JobFolder)]
    for problem in get_plugins().notify(hook, copies):
        note(problem)
        for folder in folders:
            folder.record_failure(problem)


@contextmanager
def failure_reported(folder: Folder, note: Callable[[str], None]) -> Iterator[Folder]:
    """Open a folder as its context manager does; an error that ends the job is reported, once it is recorded.

    A job that had not begun, or was complete, has not failed: there is nothing to report.
    """
    try:
        with folder:
            yield folder
    except BaseException as error:
        if folder.begun and not folder.complete:
            kind, (status, reason) = folder.declared.kind, how_it_ended(error)
            text = f"stopped by {reason}" if status == STOPPED else reason
            try:
                notify(note, f"coabench_{kind}_failed", **{kind: folder}, error=text)
            except UserError as fatal:  # COABENCH_STRICT_PLUGINS; the error that ended the job matters more
                note(first_line(fatal))
        raise


def _copy(fact: Any) -> Any:
    return Observed(fact) if isinstance(fact, JobFolder | SharedRun) else deepcopy(fact)
