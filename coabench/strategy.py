"""The Strategy interface: a small generator that asks questions, receives answers and concludes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coabench.dialogue import Answer, Prediction, Question, Task

Conversation = Generator[Question, Answer, Prediction]
"""Yields questions, is sent answers, returns the prediction."""


@dataclass(frozen=True)
class StrategyRequest:
    """What the user asked for; a strategy's factory is called with it.

    Attributes:
        variant: what stands after the colon of ``--strategy NAME:VARIANT``, or None for the default.
        options: an instance of the `Strategy.Options` that the factory declares, filled from ``--set``.
    """

    variant: str | None = None
    options: Any = None


class Strategy(ABC):
    """A way of asking. It knows neither the model nor the sample's image or target.

    Attributes:
        name: with the variant, as typed on the command line.
        exemplars: how many exemplar images it wants before each query image, drawn from the *train* split.
        parser: the name of the parser that its answers are read with: one of `coabench.inference.parsing.PARSERS`, or
            that of a plugin.
        like: the strategy whose questions it asks, where they are another's: what was trained for that one suits it.
    """

    name: str
    exemplars: int = 0
    parser: str = "standard"
    like: str | None = None

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    @abstractmethod
    def converse(self, task: Task) -> Conversation:
        """Ask about one sample.

        An answer's ``label`` is None when the response could not be understood; what follows is the strategy's
        decision. The answer to an open question has no label. ``scores`` are there where the question's ``decode`` is
        ``score``, whatever the user chose.
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

    def notes(self) -> Sequence[str]:
        """Return what the user should know, in sentences."""
        return ()
