"""The backbone ``replay``: what a log recorded of a sample and a question is the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.backbone import Answers, Backbone, BackboneRequest, Questions, Viewing
from coabench.base.reading import user_path
from coabench.base.text import plural
from coabench.decode import GENERATE, SCORE, Decode, Mode
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, SampleError, UserError
from coabench_replay.log import Key, Log, Recorded

if TYPE_CHECKING:
    from PIL.Image import Image


class Replay(Backbone[Recorded]):
    """``--backbone replay:RUN`` answers as RUN did: the same samples, asked the same.

    Images are decoded as for every backbone, and not looked at.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores"})
    timed: ClassVar[bool] = False

    def __init__(self, request: BackboneRequest) -> None:
        if not request.model:
            raise UserError(
                "the backbone replay needs a log",
                expected="--backbone replay:RUN, the directory of a run or its predictions.jsonl",
                remedy="for instance --backbone replay:results/NAME",
            )
        if request.adapter:
            raise UserError("the backbone replay takes no adapter", remedy="leave --adapter away")
        self.log = Log.read(user_path(request.model))

    def identity(self) -> Mapping[str, Any]:
        """Return the log's SHA-256, and what its manifest, if any, says was asked about which images."""
        return {"log_sha256": self.log.sha256, "recorded": self.log.origin()}

    def details(self) -> Mapping[str, Any]:
        """Return the notes."""
        return {"device": None, "notes": [f"replayed from {self.log.directory}: no model was asked", *self.log.notes()]}

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse a strategy whose first question, the only one that is always asked, nobody was asked in this way."""
        if not questions:
            return
        first = Key.of(questions[0], questions[0].mode(decode))
        if not self.log.asked(first):
            raise UserError(
                f"the first question of this strategy was asked of no sample in {self.log.directory}",
                expected=self.log.way(),
                found=str(first),
                remedy="choose the --strategy, its options and the --decode of that run, or ask the backbone itself",
            )

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Recorded:
        """Find what was recorded of a sample.

        Raises:
            JobError: the log knows no such sample.
        """
        recorded = self.log.find(sample) if sample else None
        if recorded is None:
            raise JobError(
                f"the log in {self.log.directory} holds nothing about {sample or 'an image that is no sample'}",
                expected=f"one of its {plural(len(self.log.index), 'sample')}, such as {self.log.index.first}",
                remedy="choose the --dataset, --split, --limit and --seed of that run, or ask the backbone itself",
            )
        return recorded

    def look(self, batch: Sequence[Recorded]) -> Replayed:
        return Replayed(self.log, batch)


class Replayed(Viewing):
    """A batch of recorded samples."""

    def __init__(self, log: Log, batch: Sequence[Recorded]) -> None:
        self._log = log
        self._batch = batch
        self._times: list[Counter[Key]] = [Counter() for _ in batch]

    def generate(self, questions: Questions) -> Answers:
        """Return the responses that were recorded."""
        return self._answers(questions, GENERATE)

    def score(self, questions: Questions) -> Answers:
        """Return the scores that were recorded."""
        return self._answers(questions, SCORE)

    def _answers(self, questions: Questions, mode: Mode) -> Answers:
        """Return what was recorded; a question that comes up again in a chat gets the next of its answers.

        Raises:
            JobError: the sample was never asked this.
        """
        return [
            None if question is None else self._answer(recorded, times, Key.of(question, mode))
            for recorded, times, question in zip(self._batch, self._times, questions, strict=True)
        ]

    def _answer(self, recorded: Recorded, times: Counter[Key], key: Key) -> Answer | SampleError:
        answers = recorded.answers.get(key, ())
        position = times[key]
        if position < len(answers):
            times[key] += 1
            return answers[position]
        if recorded.error is not None:
            return SampleError(recorded.error)
        raise JobError(
            f"{recorded.id} was never asked this in {self._log.directory}",
            expected=self._log.way(),
            found=str(key),
            remedy="choose the --strategy, its options and the --decode of that run, or ask the backbone itself",
        )
