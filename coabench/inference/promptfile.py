"""Strategies written as prompt files: YAML that says which questions to ask and what to make of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from coabench.decode import DECODES, Decode
from coabench.dialogue import Answer, Message, Prediction, Question, Task
from coabench.errors import UserError, did_you_mean
from coabench.inference.parsing import PARSERS
from coabench.labels import Options
from coabench.strategy import Conversation, Strategy

if TYPE_CHECKING:
    from jinja2 import Template

SCHEMA = 1


@dataclass(frozen=True)
class QuestionSpec:
    """One question of a prompt file.

    Attributes:
        name: what later templates and ``conclude`` call its answer.
        prompt: a Jinja template; sees ``options``, ``basic``, ``labels``, ``compound`` (whether labels are pairs) and
            the earlier answers by name.
        options: ``basic``, ``labels``, ``none`` for an open question, or the labels themselves.
        without: questions whose answers are taken off the options.
        only: the kind of label space it is asked on; None for both.
        decode: ``score`` or ``generate``, where the strategy rests on it; None leaves it to the user.
    """

    name: str
    prompt: str
    options: Literal["basic", "labels", "none"] | tuple[str, ...] = "labels"
    without: tuple[str, ...] = ()
    only: Literal["basic", "compound"] | None = None
    decode: Decode | None = None

    def asked(self, task: Task) -> bool:
        return self.only is None or (self.only == "compound") == task.space.compound

    def choices(self, task: Task) -> Options:
        """Return the options before any answer is taken off."""
        if self.options == "basic":
            return task.basic
        if self.options == "labels":
            return task.labels
        return Options() if self.options == "none" else Options(self.options)


@dataclass(frozen=True)
class PromptStrategy(Strategy):
    """A strategy as its prompt file describes it.

    Attributes:
        questions: asked in this order.
        conclude: the questions whose answers make the prediction: one label, or a pair.
        chat: ``separate`` (every question opens a new chat about the image) or ``continued``.
        on_invalid: ``stop`` at an answer that is no label, or ``continue`` with the raw text in its place, as the
            published pipeline does.
        version, description, source: for people; *source* says where the wording comes from.
    """

    name: str
    questions: tuple[QuestionSpec, ...]
    conclude: tuple[str, ...]
    chat: Literal["separate", "continued"] = "separate"
    on_invalid: Literal["stop", "continue"] = "stop"
    exemplars: int = 0
    parser: str = "standard"
    version: int = 1
    description: str = ""
    source: str = ""

    def converse(self, task: Task) -> Conversation:
        given: dict[str, str] = {}
        labels: dict[str, str | None] = {}
        said: tuple[Message, ...] = ()
        for spec in self.questions:
            if not spec.asked(task):
                continue
            question = self.question(spec.name, task, given, said=said)
            answer = yield question
            if answer.label is None and question.options and self.on_invalid == "stop":
                return Prediction.invalid(f"unparsed-{spec.name}")
            labels[spec.name] = answer.label
            given[spec.name] = self._passed_on(answer)
            if self.chat == "continued":
                said = (*question.messages, Message("assistant", answer.response.strip()))
        return self._conclusion(task, labels)

    def question(
        self,
        name: str,
        task: Task,
        given: Mapping[str, str] | None = None,
        *,
        options: Options | None = None,
        said: tuple[Message, ...] = (),
    ) -> Question:
        """Return one of the questions, its prompt rendered.

        For strategies in Python, too, that keep their words in a prompt file.

        Args:
            name: of the question.
            given: the answers to earlier questions that the prompt mentions or the options leave out.
            options: what is offered instead of the file's options.
            said: the chat so far, which the question goes on with.

        Raises:
            UserError: the prompt cannot be rendered.
        """
        spec = next(spec for spec in self.questions if spec.name == name)
        given, choices = given or {}, options or spec.choices(task)
        return Question(
            prompt=self._render(spec, task, given, choices),
            options=choices - [given[name] for name in spec.without],
            recognised=choices,
            name=spec.name,
            images=() if said else (task.query,),
            context=said or self._shown_exemplars(spec, task),
            decode=spec.decode,
        )

    def _shown_exemplars(self, spec: QuestionSpec, task: Task) -> tuple[Message, ...]:
        """Return each exemplar as a finished exchange: its image, this question about it, its true answer."""
        messages: list[Message] = []
        for index, exemplar in enumerate(task.exemplars):
            given: dict[str, str] = {}
            for earlier in self.questions[: self.questions.index(spec)]:
                if earlier.asked(task):
                    given[earlier.name] = self._true_answer(earlier, task, exemplar.label, given)
            messages.append(Message("user", self._render(spec, task, given, spec.choices(task)), (index,)))
            messages.append(Message("assistant", self._true_answer(spec, task, exemplar.label, given)))
        return tuple(messages)

    def _true_answer(self, spec: QuestionSpec, task: Task, label: str, given: Mapping[str, str]) -> str:
        """Return the first answer that is right for an exemplar, none of those *given* again if it can be helped."""
        choices = spec.choices(task)
        right = task.space.right_answers(choices - list(given.values()), label)
        right = right or task.space.right_answers(choices, label)
        if not right:
            raise UserError(
                f"strategy {self.name!r}: question {spec.name!r} has no right answer for an exemplar of {label!r}",
                expected="options that name labels or basic emotions",
                found=", ".join(choices),
                remedy="change the options in the prompt file, or use no exemplars",
            )
        return right[0]

    def _render(self, spec: QuestionSpec, task: Task, given: Mapping[str, str], choices: Options) -> str:
        from jinja2 import TemplateError

        options = choices - [given[name] for name in spec.without]
        try:
            return _template(spec.prompt).render(
                given, options=options, basic=task.basic, labels=task.labels, compound=task.space.compound
            )
        except TemplateError as error:
            raise UserError(
                f"strategy {self.name!r}: the prompt of question {spec.name!r} cannot be rendered",
                found=str(error),
                expected="a Jinja template using options, basic, labels, compound and the names of earlier questions",
                remedy="correct the prompt file",
            ) from None

    def _passed_on(self, answer: Answer) -> str:
        """Return what later questions call this answer.

        The published pipeline passes on the text itself, which equals the label only where it is one exactly.
        """
        if answer.label is None or (self.on_invalid == "continue" and answer.match not in ("exact", "score")):
            return answer.response.strip()
        return answer.label

    def _conclusion(self, task: Task, labels: Mapping[str, str | None]) -> Prediction:
        told = [name for name in self.conclude if name in labels]
        for name in told:
            if labels[name] is None:
                return Prediction.invalid(f"unparsed-{name}")
        emotions = [cast("str", labels[name]) for name in told]
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


def read_prompt_file(path: Path) -> PromptStrategy:
    """Read a strategy from a prompt file.

    Raises:
        UserError: the file cannot be read, a field is missing, unknown or of the wrong kind, or a template is none.
    """
    from coabench.base.yaml import read_yaml

    data = read_yaml(path, what="prompt file")
    _only_known(data, {"schema", *PromptStrategy.__dataclass_fields__}, path, "field")
    if data.get("schema", SCHEMA) != SCHEMA:
        raise UserError(f"{path}: schema {data['schema']!r} is unknown", expected=f"schema: {SCHEMA}")
    entries = data.get("questions")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(
            f"{path}: there are no questions", expected="a list under 'questions', each with name and prompt"
        )
    questions = tuple(_read_question(entry, path) for entry in entries)
    names = [q.name for q in questions]
    conclude = _words(data.get("conclude", names[-1]), path, "conclude")
    for i, q in enumerate(questions):
        if q.name in names[:i] or q.name in ("options", "basic", "labels", "compound"):
            raise UserError(f"{path}: the question name {q.name!r} is taken", expected="a name of its own per question")
        _only_known(q.without, set(names[:i]), path, f"earlier question in 'without' of {q.name!r}")
    _only_known(conclude, set(names), path, "question in 'conclude'")
    for q in questions:
        if q.options == "none" and (q.name in conclude or q.decode == "score"):
            raise UserError(
                f"{path}: the question {q.name!r} has no options",
                expected="options where a question is scored or makes the conclusion",
                remedy="give it options, or leave it out of 'conclude'",
            )
    if not 1 <= len(conclude) <= 2:
        raise UserError(f"{path}: 'conclude' names {len(conclude)} questions", expected="one, or two that make a pair")
    exemplars, version = data.get("exemplars", 0), data.get("version", 1)
    if not isinstance(exemplars, int) or exemplars < 0 or not isinstance(version, int):
        raise UserError(f"{path}: 'exemplars' and 'version' must be whole numbers")
    return PromptStrategy(
        name=str(data.get("name") or path.stem),
        questions=questions,
        conclude=conclude,
        chat=_one_of(data.get("chat", "separate"), ("separate", "continued"), path, "chat"),
        on_invalid=_one_of(data.get("on_invalid", "stop"), ("stop", "continue"), path, "on_invalid"),
        exemplars=exemplars,
        parser=_one_of(data.get("parser", "standard"), tuple(PARSERS), path, "parser"),
        version=version,
        description=str(data.get("description") or "").strip(),
        source=str(data.get("source") or "").strip(),
    )


def _read_question(entry: Mapping[str, Any], path: Path) -> QuestionSpec:
    from jinja2 import TemplateSyntaxError

    _only_known(entry, set(QuestionSpec.__dataclass_fields__), path, "field of a question")
    name, prompt = entry.get("name"), entry.get("prompt")
    if not isinstance(name, str) or not name.isidentifier() or not isinstance(prompt, str) or not prompt.strip():
        raise UserError(f"{path}: a question lacks its name or prompt", expected="name: a_word, prompt: a text")
    try:
        _template(prompt)
    except TemplateSyntaxError as error:
        raise UserError(
            f"{path}: the prompt of {name!r} is no template", found=f"line {error.lineno}: {error.message}"
        ) from None
    options = entry.get("options", "labels")
    if isinstance(options, list):
        options = _words(options, path, "options")
    else:
        options = _one_of(options, ("basic", "labels", "none"), path, "options")
    only = entry.get("only")
    if only is not None:
        only = _one_of(only, ("basic", "compound"), path, "only")
    decode = entry.get("decode")
    if decode is not None:
        decode = _one_of(decode, DECODES, path, "decode")
    without = _words(entry.get("without", []), path, "without")
    return QuestionSpec(name, prompt.strip(), options, without, only, decode)


def _only_known(names: Mapping[str, Any] | Sequence[str], known: set[str], path: Path, what: str) -> None:
    for name in names:
        if name not in known:
            raise UserError(
                f"{path}: unknown {what}: {name!r}",
                expected=", ".join(sorted(known)) or "none",
                remedy=f"{did_you_mean(str(name), sorted(known))}correct the prompt file",
            )


def _one_of(value: Any, choices: tuple[str, ...], path: Path, field: str) -> Any:
    if value not in choices:
        raise UserError(f"{path}: {field} is {value!r}", expected=" or ".join(choices))
    return value


def _words(value: Any, path: Path, field: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise UserError(f"{path}: {field} is {value!r}", expected="a list of words")
    return tuple(values)


def _listed(options: Sequence[str], last: str = ", or ", quote: str = "") -> str:
    """The template filter: ``{{ options | listed(" or ", quote="'") }}`` gives ``'a', 'b' or 'c'``."""
    quoted = [f"{quote}{option}{quote}" for option in options]
    return last.join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


@cache
def _template(text: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters["listed"] = _listed
    return environment.from_string(text)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
