"""What the strategies in Python share: their words stand in a prompt file, their logic in a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from coabench.dialogue import Task
from coabench.strategy import Conversation, Strategy, StrategyRequest
from coabench_strategies.files import read


class Prompted(Strategy):
    """A strategy that asks the questions of a prompt file.

    Attributes:
        file: the prompt file's name, without ``.yaml``.
        logic: raised whenever the same answers would lead to another question or conclusion.
    """

    file: ClassVar[str]
    logic: ClassVar[int] = 1

    def __init__(self, request: StrategyRequest) -> None:
        self.prompts = read(self.file)

    def identity(self) -> Mapping[str, Any]:
        """Return the identity of the prompt file, and the version of the logic."""
        return {**self.prompts.identity(), "logic": self.logic}

    def converse(self, task: Task) -> Conversation:
        """Ask the questions as they stand."""
        return self.prompts.converse(task)
