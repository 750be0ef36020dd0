"""The Strategy interface: a small generator that asks questions, hears answers and concludes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from coabench.dialogue import Answer, Prediction, Question, Task

Conversation = Generator[Question, Answer, Prediction]
"""Yields questions, is sent answers, returns the prediction."""


class Strategy(ABC):
    """A way of asking. It knows neither the model nor the sample's image or target.

    Attributes:
        name: with the variant, as typed on the command line.
        exemplars: how many exemplar images it wants before each query image, drawn from the *train* split.
        parser: the name of the parsing rules (`coabench.parsing.PARSERS`) its answers are read with.
    """

    name: str
    exemplars: int = 0
    parser: str = "standard"

    @abstractmethod
    def converse(self, task: Task) -> Conversation:
        """Ask about one sample.

        An answer's ``label`` is None when the response could not be understood; what follows is the strategy's
        decision.
        """

    def right_answers(self, question: Question, task: Task, target: str) -> Sequence[str]:
        """Return the answers to learn for a question about a sample labelled *target*.

        Several where the question leaves open which of two emotions is meant; none where the sample can teach nothing
        about it. By default what is true of the label among the options. Override it where options are not labels.
        """
        return task.space.right_answers(question.options, target)

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return everything that can change a question or a conclusion, JSON-serialisable: prompts' hashes, options."""
