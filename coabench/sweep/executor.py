"""What carries out the runs of a sweep."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from coabench.sweep.plan import Planned


@dataclass(frozen=True)
class Ending:
    """A run has ended; *problem* says why it failed, None where it did not."""

    run: Planned
    problem: str | None = None


class Executor(Protocol):
    """Carries out runs in any order, several at a time or one after another."""

    def check(self, runs: Sequence[Planned]) -> None:
        """Refuse (`UserError`) what cannot be done here, before anything is written."""
        ...

    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        """Yield the ending of every run, and None now and then in between.

        A run that fails, or whose process dies, is an ending like any other. Closing the generator stops what still
        runs.
        """
        ...
