"""The Rewrite interface: what becomes of a question between a strategy and a backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from coabench.dialogue import Question


@dataclass(frozen=True)
class RewriteRequest:
    """What the user asked for; a rewrite's factory is called with it.

    Attributes:
        options: an instance of the `Rewrite.Options` that the factory declares, filled from ``NAME:key=value,…``.
        seed: that of the run.
    """

    options: Any = None
    seed: int = 0


@dataclass(frozen=True)
class Rewritten:
    """A question as the backbone is asked it.

    Attributes:
        question: its options and recognised labels are those of the question that came, each once, in any order and in
            other words where *labels* says so.
        labels: an option or recognised label as worded here -> as the question that came has it; those that keep their
            words may be left out.
        spellings: what else an answer may say (``2`` for the second of numbered options) -> an option as worded here.
    """

    question: Question
    labels: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)


class Rewrite(ABC):
    """Rewrites questions.

    The constructor takes a `RewriteRequest` and keeps its options; override it to raise `UserError` where they do not
    fit together.

    Attributes:
        options: the instance of `Options` that was asked for.
        needs_options: whether it rewrites the options of a question: open questions then stay as they are, and a
            strategy that asks no other is refused.
    """

    needs_options: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Options:
        """The parameters, with their defaults; override in a subclass."""

    def __init__(self, request: RewriteRequest) -> None:
        self.options: Any = request.options

    def notes(self) -> Sequence[str]:
        """Return what the user should know of it, in sentences."""
        return ()

    @abstractmethod
    def rewrite(self, question: Question) -> Rewritten:
        """Return what is asked instead. The chat before it, `Question.context`, is rewritten alike.

        The same question always becomes the same.

        Raises:
            UserError: this question cannot be rewritten. Questions that are known before a run are tried before it.
        """
