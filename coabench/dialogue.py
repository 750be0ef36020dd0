"""What passes between a strategy and a backbone: questions, answers, and the prediction in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coabench.base.vocabulary import INVALID, OK
from coabench.decode import GENERATE, Decode, Demand, Mode, mode_of
from coabench.labels import Choices, LabelSpace
from coabench.sampling import PLAIN, Draw


@dataclass(frozen=True)
class Message:
    """One utterance of a chat. *images* are shown before the text, by index into the sample's images."""

    role: Literal["user", "assistant"]
    text: str
    images: tuple[int, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question about one sample.

    Attributes:
        prompt: the text that is asked.
        options: the labels it offers, in the order listed; none for an open question, whose answer is text alone.
        recognised: every label that an answer may be understood as; the options by default. Wider than the
            options where an answer off the list should be distinguished from gibberish (the repeated primary, say).
        name: which question of its strategy this is.
        images: the images shown with the prompt, by index into the sample's images (exemplars first, the
            query image last).
        context: what was said before, in the same chat (exemplars; earlier turns of a continued chat).
        decode: how the answer must be obtained, where the strategy rests on it: scored, or in words; None leaves it to
            the user.
        draw: how the answer is drawn where it is sampled; the engine sets it.
    """

    prompt: str
    options: Choices
    recognised: Choices = field(default_factory=Choices)
    name: str = "answer"
    images: tuple[int, ...] = (0,)
    context: tuple[Message, ...] = ()
    decode: Demand | None = None
    draw: Draw = PLAIN

    def __post_init__(self) -> None:
        if not self.recognised:
            object.__setattr__(self, "recognised", self.options)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole chat, ending with this question."""
        return (*self.context, Message("user", self.prompt, self.images))

    def mode(self, chosen: Decode) -> Mode:
        """Return how the answer is obtained where the user has *chosen* a mode.

        An open question has no scores. What is to be answered in words is sampled where the user chose that.
        """
        wanted, mode = mode_of(chosen), mode_of(self.decode or chosen)
        mode = GENERATE if mode.scored and not self.options else mode
        return wanted if wanted.voted and not mode.scored else mode


LARGEST_SCORE = 1e-3
"""No log-probability is above 0, but for what rounding adds."""


@dataclass(frozen=True)
class Answer:
    """What came back for a question.

    A backbone fills in everything but *label* and *match*; the engine reads the label off the response (or the
    scores) and says which parsing rule matched.

    Attributes:
        response: the raw text.
        scores: the natural-log probability of each option, or None where the backbone was not asked to score.
        label: the label understood, or None for INVALID.
        match: the parsing rule that matched, None for INVALID.
        prompt_tokens: tokens in the prompt, images included.
        cached_tokens: how many of them were not computed again.
        new_tokens: tokens generated.
    """

    response: str
    scores: Mapping[str, float] | None = None
    label: str | None = None
    match: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0


@dataclass(frozen=True)
class Turn:
    """A question and its answer.

    *weight* is that of its loss in a training: 1 where no classes are balanced.
    """

    question: Question
    answer: Answer
    weight: float = 1.0


Status = Literal["ok", "invalid", "error"]


@dataclass(frozen=True)
class Prediction:
    """What a strategy concludes: a label, or none with the reason why.

    Attributes:
        label: a label of the task's space, or None.
        status: ``ok``, ``invalid`` (the answers make no label) or ``error`` (the sample could not be asked about).
        reason: one word for counting where there is no label: ``unparsed-<question>``, ``repeated``,
            ``neutral-first``, ``neutral-second``, ``no-class``; for ``error``, what happened.
        details: what else the strategy concluded, JSON-serialisable, for the record: an agreement, a ranking. Where it
            holds ``confidence`` (0…1), calibration takes that; where it does not, there is none of such a sample.
            ``log_probabilities``, label -> natural logarithm, for all labels and adding up to 1 at most, makes Brier
            score and log loss, and lets a temperature be fitted.
    """

    label: str | None
    status: Status = OK
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def invalid(cls, reason: str, details: Mapping[str, Any] | None = None) -> Prediction:
        """A prediction without a label, because the answers make none."""
        return cls(None, INVALID, reason, details or {})


@dataclass(frozen=True)
class Exemplar:
    """An example image shown before the query image, with its true label. *id* goes into the record."""

    id: str
    label: str


@dataclass(frozen=True)
class Task:
    """What a strategy knows of the sample at hand: the label space and the exemplars; never the target."""

    space: LabelSpace
    exemplars: tuple[Exemplar, ...] = ()

    @property
    def basic(self) -> Choices:
        """The basic emotions, in the fixed order."""
        return self.space.basic

    @property
    def labels(self) -> Choices:
        """The labels of the space, in order."""
        return self.space.names

    @property
    def query(self) -> int:
        """The index of the query image among the sample's images."""
        return len(self.exemplars)

    def combine(self, primary: str, secondary: str) -> Prediction:
        """Return the compound label of two basic emotions, or the pair problem that stands in its way."""
        if primary == secondary:
            return Prediction.invalid("repeated")
        if self.space.neutral is not None:
            if primary == self.space.neutral:
                return Prediction.invalid("neutral-first")
            if secondary == self.space.neutral:
                return Prediction.invalid("neutral-second")
        name = self.space.name_of(primary, secondary)
        return Prediction(name) if name is not None else Prediction.invalid("no-class")
