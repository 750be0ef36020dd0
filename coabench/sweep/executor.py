"""The Executor interface: what carries out the runs of a sweep.

`coabench.sweep.worker.perform` carries one out, in whatever process it is called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from coabench.sweep.planned import Planned


@dataclass(frozen=True)
class Ending:
    """A run has ended; *problem* says why it failed, None where it did not."""

    run: Planned
    problem: str | None = None


@dataclass(frozen=True)
class ExecutorRequest:
    """What the user asked for; an executor's factory is called with it.

    Attributes:
        options: an instance of the `Executor.Options` that the factory declares, filled from ``--executor
            NAME:key=value,…``.
    """

    options: Any = None


class Executor(ABC):
    """Carries out runs in any order, several at a time or one after another.

    The constructor takes an `ExecutorRequest`; `UserError` where its options cannot be used.
    """

    spreads: bool = False
    """Whether it may do any number of runs at a time: then those of a sweep stay apart, though they look at the same
    images."""

    @dataclass(frozen=True)
    class Options:
        """The parameters, with their defaults; override in a subclass."""

    def check(self, runs: Sequence[Planned]) -> None:  # noqa: B027 - most have nothing to refuse
        """Refuse (`UserError`) what cannot be done here, before anything is written."""

    @abstractmethod
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        """Yield the ending of every run, and None now and then in between.

        A run that fails, or whose process dies, is an ending like any other. Closing the generator stops what still
        runs.
        """
