"""What is remembered of a face: what each answerer said last, and the labels that are voted on."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from coabench.dialogue import Turn
from coabench.live.agreement import NAMES, agree
from coabench.live.snapshot import FaceAnswer, Opinion


@dataclass
class Said:
    """What one answerer said about a face.

    Attributes:
        turns: of the conversation that is under way, or else of the last one.
        labels: those of its last answers.
    """

    answer: FaceAnswer | None = None
    turns: tuple[Turn, ...] = ()
    labels: deque[str | None] = field(default_factory=deque)

    def keep(self, answer: FaceAnswer, smooth: int) -> FaceAnswer:
        """Keep an answer as the last one, and return it with what the last *smooth* ones vote for."""
        self.labels.append(answer.prediction.label)
        while len(self.labels) > smooth:
            self.labels.popleft()
        if smooth > 1:
            answer = replace(answer, smoothed=vote(self.labels))
        self.answer, self.turns = answer, answer.turns
        return answer


@dataclass
class Memory:
    """What is remembered of one face.

    Attributes:
        said: by all answerers, in their order.
        asking: whether they are being asked.
        asked: the time of the last frame that was asked about.
    """

    said: tuple[Said, ...]
    asking: bool = False
    asked: float | None = None

    @classmethod
    def blank(cls, answerers: int) -> Memory:
        """Return the memory of a face that so many answerers were never asked about."""
        return cls(tuple(Said() for _ in range(answerers)))

    def ask(self, time: float) -> None:
        """Note that all are asked about a frame of this time."""
        self.asked, self.asking = time, True
        for said in self.said:
            said.turns = ()

    @property
    def answers(self) -> list[FaceAnswer]:
        """The last answer of everybody, about one crop; empty before."""
        return [said.answer for said in self.said if said.answer is not None]

    @property
    def beside(self) -> tuple[Opinion, ...]:
        """What those say that are asked beside the first."""
        first, *others = self.said
        return tuple(
            Opinion(name, said.turns, said.answer, _differ(first.answer, said.answer))
            for name, said in zip(NAMES[1:], others, strict=False)
        )


def _differ(first: FaceAnswer | None, second: FaceAnswer | None) -> bool:
    """Whether what is shown of two answers about the same crop, the votes where there are any, is no agreement."""
    return first is not None and second is not None and not agree(_shown(first), _shown(second))


def _shown(answer: FaceAnswer) -> str | None:
    return answer.prediction.label if answer.smoothed is None else answer.smoothed


def vote(labels: Sequence[str | None]) -> str | None:
    """Return the most frequent label, the newest of several; None where there is none."""
    counts = Counter(label for label in labels if label is not None)
    best = max(counts.values(), default=0)
    return next((label for label in reversed(labels) if label is not None and counts[label] == best), None)
