"""How the jobs that make a run report their progress."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Progress(Protocol):
    """What a job reports to."""

    def start(self, total: int, done: Collection[Mapping[str, Any]]) -> AbstractContextManager[Any]:
        """Begin; *done* are the records of earlier sessions."""
        ...

    def advance(self, records: Sequence[Mapping[str, Any]]) -> None: ...

    def note(self, text: str) -> None: ...


class Silence:
    """No progress at all."""

    def start(self, total: int, done: Collection[Mapping[str, Any]]) -> AbstractContextManager[Any]:
        return nullcontext()

    def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
        return

    def note(self, text: str) -> None:
        return
