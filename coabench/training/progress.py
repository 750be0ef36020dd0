"""How a training reports its progress."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class TrainingProgress:
    """What a training reports to; silent by default."""

    def start(self, steps: int) -> AbstractContextManager[Any]:
        """Begin a training of so many steps."""
        return nullcontext()

    def log(self, line: Mapping[str, Any]) -> None:
        """Report a line of the log, with ``steps`` (all of them) and the seconds ``left`` beside."""

    def note(self, text: str) -> None:
        """Report a sentence."""
