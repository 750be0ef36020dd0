"""Strategies written as prompt files: YAML that says which questions to ask and what to make of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from coabench.base.names import to_hash
from coabench.base.schema import NotEmpty, Read, at_least
from coabench.decode import SCORED, Demand
from coabench.dialogue import Answer, Message, Prediction, Question, Task
from coabench.errors import UserError, first_line
from coabench.inference.templates import render
from coabench.labels import Choices
from coabench.strategy import Conversation, Strategy

Words = Annotated[tuple[str, ...], Read(lambda said: (said,) if isinstance(said, str) else said, str | tuple[str, ...])]
"""Names, of which a single one may stand without brackets."""

Prose = Annotated[str, Read(lambda said: str(said).strip(), str | int | float)]
"""A text for people, or for the model, without the white space around it that YAML's blocks leave."""


@dataclass(frozen=True)
class QuestionSpec:
    """One question of a prompt file.

    Attributes:
        name: what later templates and ``conclude`` call its answer.
        prompt: a template (see `coabench.inference.templates`); sees ``options``, ``basic``, ``labels``, ``compound``
            (whether labels are pairs) and the earlier answers by name.
        options: ``basic``, ``labels``, ``none`` for an open question, or the labels themselves.
        without: questions whose answers are taken off the options.
        only: the kind of label space it is asked on; None for both.
        decode: ``score`` or ``generate``, where the strategy rests on it; None leaves it to the user.
    """

    name: str
    prompt: Prose
    options: Literal["basic", "labels", "none"] | tuple[str, ...] = "labels"
    without: Words = ()
    only: Literal["basic", "compound"] | None = None
    decode: Demand | None = None

    def asked(self, task: Task) -> bool:
        return self.only is None or (self.only == "compound") == task.space.compound

    def choices(self, task: Task) -> Choices:
        """Return the options before any answer is taken off."""
        if self.options == "basic":
            return task.basic
        if self.options == "labels":
            return task.labels
        return Choices() if self.options == "none" else Choices(self.options)


@dataclass(frozen=True)
class PromptStrategy(Strategy):
    """A strategy as its prompt file describes it.

    Attributes:
        questions: asked in this order.
        name: as typed on the command line; the file's by default.
        conclude: the questions whose answers make the prediction: one label, or a pair. The last one by default.
        chat: ``separate`` (every question opens a new chat about the image) or ``continued``.
        on_invalid: ``stop`` at an answer that is no label, or ``continue`` with the raw text in its place, as the
            published pipeline does.
        version, description, source: for people; *source* says where the wording comes from.
        path: the prompt file, for error messages.
    """

    questions: tuple[QuestionSpec, ...]
    name: Prose = ""
    conclude: Annotated[Words, NotEmpty] = ()
    chat: Literal["separate", "continued"] = "separate"
    on_invalid: Literal["stop", "continue"] = "stop"
    exemplars: Annotated[int, at_least(0)] = 0
    parser: str = "standard"
    version: int = 1
    description: Prose = ""
    source: Prose = ""
    path: Path | None = None

    def converse(self, task: Task) -> Conversation:
        answers: dict[str, str] = {}
        labels: dict[str, str | None] = {}
        chat: tuple[Message, ...] = ()
        for spec in self.questions:
            if not spec.asked(task):
                continue
            question = self.question(spec.name, task, answers, chat=chat)
            answer = yield question
            if answer.label is None and question.options and self.on_invalid == "stop":
                return Prediction.invalid(f"unparsed-{spec.name}")
            labels[spec.name] = answer.label
            answers[spec.name] = self._passed_on(answer)
            if self.chat == "continued":
                chat = (*question.messages, Message("assistant", answer.response.strip()))
        return self._conclusion(task, labels)

    def question(
        self,
        name: str,
        task: Task,
        answers: Mapping[str, str] | None = None,
        *,
        options: Choices | None = None,
        chat: tuple[Message, ...] = (),
    ) -> Question:
        """Return one of the questions, its prompt rendered.

        For strategies in Python, too, that keep their words in a prompt file.

        Args:
            name: of the question.
            answers: those to earlier questions that the prompt mentions or the options leave out.
            options: what is offered instead of the file's options.
            chat: the chat so far, which the question continues.

        Raises:
            UserError: the prompt cannot be rendered.
        """
        spec = next(spec for spec in self.questions if spec.name == name)
        answers, choices = answers or {}, options or spec.choices(task)
        return Question(
            prompt=self._render(spec, task, answers, choices),
            options=choices - [answers[name] for name in spec.without],
            recognised=choices,
            name=spec.name,
            images=() if chat else (task.query,),
            context=chat or self._shown_exemplars(spec, task),
            decode=spec.decode,
        )

    def _shown_exemplars(self, spec: QuestionSpec, task: Task) -> tuple[Message, ...]:
        """Return each exemplar as a finished exchange: its image, this question about it, its true answer."""
        messages: list[Message] = []
        for index, exemplar in enumerate(task.exemplars):
            answers: dict[str, str] = {}
            for earlier in self.questions[: self.questions.index(spec)]:
                if earlier.asked(task):
                    answers[earlier.name] = self._true_answer(earlier, task, exemplar.label, answers)
            messages.append(Message("user", self._render(spec, task, answers, spec.choices(task)), (index,)))
            messages.append(Message("assistant", self._true_answer(spec, task, exemplar.label, answers)))
        return tuple(messages)

    def _true_answer(self, spec: QuestionSpec, task: Task, label: str, earlier: Mapping[str, str]) -> str:
        """Return the first answer that is right for an exemplar, none of the *earlier* ones again if possible."""
        choices = spec.choices(task)
        right = task.space.right_answers(choices - list(earlier.values()), label)
        right = right or task.space.right_answers(choices, label)
        if not right:
            raise UserError(
                f"strategy {self.name!r}: question {spec.name!r} has no right answer for an exemplar of {label!r}",
                expected="options that name labels or basic emotions",
                found=", ".join(choices),
                remedy="change the options in the prompt file, or use no exemplars",
            )
        return right[0]

    def _render(self, spec: QuestionSpec, task: Task, answers: Mapping[str, str], choices: Choices) -> str:
        known = {"basic": task.basic, "labels": task.labels, "compound": task.space.compound}
        known["options"] = choices - [answers[name] for name in spec.without]
        try:
            return render(spec.prompt, {**answers, **known})
        except Exception as error:  # a template can fail in any way
            raise UserError(
                f"{self.path or f'strategy {self.name!r}'}: the prompt of question {spec.name!r} cannot be rendered",
                found=first_line(error),
                expected="a template of options, basic, labels, compound and the names of earlier questions",
                remedy="correct the prompt file",
            ) from None

    def _passed_on(self, answer: Answer) -> str:
        """Return what later questions call this answer.

        The published pipeline passes on the text itself, which equals the label only where it is one exactly.
        """
        if answer.label is None or (self.on_invalid == "continue" and answer.match not in ("exact", *SCORED)):
            return answer.response.strip()
        return answer.label

    def _conclusion(self, task: Task, labels: Mapping[str, str | None]) -> Prediction:
        asked = [name for name in self.conclude if name in labels]
        for name in asked:
            if labels[name] is None:
                return Prediction.invalid(f"unparsed-{name}")
        emotions = [cast("str", labels[name]) for name in asked]
        if len(emotions) == 2:
            return task.combine(*emotions)
        return Prediction(emotions[0]) if emotions[0] in task.labels else Prediction.invalid("no-class")

    def identity(self) -> Mapping[str, Any]:
        meaning = {
            "questions": [
                [q.name, q.prompt, q.options if isinstance(q.options, str) else list(q.options), q.without, q.only]
                + ([q.decode] if q.decode else [])  # so that files without it keep their hash
                for q in self.questions
            ],
            "rest": [self.conclude, self.chat, self.on_invalid, self.exemplars, self.parser],
        }
        return {
            "version": self.version,
            "sha256": _sha256(json.dumps(meaning, sort_keys=True)),
            "prompts": {q.name: _sha256(q.prompt) for q in self.questions},
        }


def _sha256(text: str) -> str:
    return hashlib.sha256(to_hash(text)).hexdigest()
