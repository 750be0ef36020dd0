"""Checks of a strategy: does it ask, read answers and conclude as the engine, the parser and training need it to?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from coabench.base.vocabulary import OK
from coabench.decode import DECODES, MODES, Decode
from coabench.dialogue import Answer, Prediction, Question, Task
from coabench.errors import UserError
from coabench.inference.engine import training_turns
from coabench.inference.parsing import PARSERS
from coabench.registry.registrations import Registration
from coabench.strategy import Strategy, StrategyRequest
from coabench.testing.answerers import LAPSES, SENSELESS, SENSIBLE, Answerer, understood_as
from coabench.testing.defects.common import BAD_OPTIONS
from coabench.testing.defects.strategies import (
    BAD_IDENTITY,
    BAD_NAME,
    BAD_QUESTION,
    GUESSES,
    MOST_QUESTIONS,
    NEVER_ENDS,
    NO_PREDICTION,
    NO_STRATEGY,
    RAISES,
    RAISES_ON_UNPARSED,
    SHARED_STATE,
    UNSTEADY,
    UNTEACHABLE,
)
from coabench.testing.findings import Finding, Findings, Stop, describe, is_json, unchecked
from coabench.testing.options import check_declared, check_read
from coabench.testing.spaces import BASIC, COMPOUND, task
from coabench.testing.targets import detail_of, loaded, named


def check(strategy: str | Registration | Callable[[StrategyRequest], Strategy], options: Any = None) -> list[Finding]:
    """Check a strategy and return what is wrong with it.

    Args:
        strategy: the name it is registered under, its registration, or the target itself.
        options: an instance of its ``Options``; the defaults where there is none.
    """
    subject = named("strategies", strategy)
    findings: list[Finding] = []
    for variant in (None, *detail_of(subject, "variants", ())):
        label = f"strategy {subject.name + (f':{variant}' if variant else '')!r}"
        for finding in _Check(subject, Findings(label), variant, options).all():
            if not any((finding.defect, finding.evidence) == (f.defect, f.evidence) for f in findings):
                findings.append(finding)
    return findings


class _Check:
    def __init__(self, subject: Registration, findings: Findings, variant: str | None, options: Any) -> None:
        self.subject, self.findings, self.variant, self.chosen = subject, findings, variant, options

    def all(self) -> list[Finding]:
        try:
            self.prepare()
        except UserError as error:
            return [unchecked(self.findings.subject, error, error.remedy or "set what it asks for")]
        except Stop:
            return self.findings.all
        return self.findings.run(
            [self.identity, self.name, self.conversations, self.side_by_side, self.teaching, self.options]
        )

    def prepare(self) -> None:
        self.factory = loaded(self.subject, self.findings)
        declared = getattr(self.factory, "Options", Strategy.Options)
        check_declared(self.findings, declared)
        self.defaults = self.chosen if self.chosen is not None else self.findings.attempt(BAD_OPTIONS, declared)
        self.strategy = self.make(self.defaults)
        for method in ("converse", "identity", "right_answers"):
            self.findings.need(callable(getattr(self.strategy, method, None)), NO_STRATEGY, f"no method {method}")
        exemplars, parser = getattr(self.strategy, "exemplars", None), getattr(self.strategy, "parser", None)
        self.findings.need(isinstance(exemplars, int) and exemplars >= 0, NO_STRATEGY, f"exemplars = {exemplars!r}")
        self.findings.need(parser in PARSERS, NO_STRATEGY, f"parser = {parser!r}, and there is {', '.join(PARSERS)}")
        if self.findings.all:
            raise Stop

    def make(self, options: Any) -> Strategy:
        request = StrategyRequest(self.variant, options)
        made: Strategy = self.findings.attempt(NO_STRATEGY, self.factory, request, allowed=UserError)
        return made

    def identity(self) -> None:
        identity = self.findings.attempt(BAD_IDENTITY, self.strategy.identity)
        self.findings.need(isinstance(identity, dict) and is_json(dict(identity)), BAD_IDENTITY, repr(identity)[:200])
        other = self.findings.attempt(BAD_IDENTITY, self.make(self.defaults).identity)
        self.findings.need(other == identity, BAD_IDENTITY, f"{identity} and, made again, {other}")

    def name(self) -> None:
        name = getattr(self.strategy, "name", None)
        self.findings.need(isinstance(name, str) and name, NO_STRATEGY, f"name = {name!r}")
        if self.subject.plugin and isinstance(name, str):
            self.findings.need(name.partition(":")[0] == self.subject.name, BAD_NAME, f"name = {name!r}")

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks that this strategy is for: a `UserError` at its first question says that a space does not fit."""
        fitting, refused = [], None
        for space in (BASIC, COMPOUND):
            made = task(space, self.strategy.exemplars)
            try:
                next(self.strategy.converse(made))
            except UserError as error:
                refused = error
                continue
            except Exception:  # the conversations report it
                pass
            fitting.append(made)
        if not fitting:
            self.findings.add(RAISES, f"it takes neither basic nor compound labels: {describe(refused or '')}")
            raise Stop
        return fitting

    def conversations(self) -> None:
        """Let everybody answer, twice."""
        for made in self.tasks:
            for decode in DECODES:
                for answerer in (*SENSIBLE, *SENSELESS, *LAPSES):
                    said = self.talk(self.strategy, made, decode, answerer)
                    again = self.talk(self.make(self.defaults), made, decode, answerer)
                    self.findings.need(said == again, UNSTEADY, _difference(said, again))

    def talk(self, strategy: Strategy, made: Task, decode: Decode, answerer: Answerer) -> list[Any]:
        """Return what was asked, and in the end the prediction; note what is wrong with either."""
        asked: list[Any] = []
        understood = False
        sensible = answerer in SENSIBLE
        broken = RAISES if sensible else RAISES_ON_UNPARSED
        conversation = self.findings.attempt(RAISES, strategy.converse, made)
        if not hasattr(conversation, "send"):
            self.findings.add(NO_STRATEGY, f"converse returns {conversation!r}, which is no generator")
            raise Stop
        answer: Answer | None = None
        while True:
            try:
                question = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as end:
                self.conclusion(end.value, made, understood)
                return [*asked, end.value]
            except (Exception, SystemExit) as error:
                last = f", after hearing {answer.response[:40]!r}" if answer else ""
                self.findings.add(broken, describe(error) + last)
                raise Stop from error
            self.question(question, made)
            asked.append(question)
            if len(asked) > MOST_QUESTIONS:
                self.findings.add(NEVER_ENDS)
                raise Stop
            answer = understood_as(question, answerer(question, len(asked) - 1), made, strategy.parser, decode)
            understood = understood or answer.label is not None

    def question(self, question: Any, made: Task) -> None:
        if not isinstance(question, Question):
            self.findings.add(BAD_QUESTION, f"it yields {question!r}")
            raise Stop
        images = [i for message in question.messages for i in message.images]
        scored = [mode.name for mode in MODES.values() if mode.scored]
        problems = {
            "its prompt is empty": not isinstance(question.prompt, str) or not question.prompt.strip(),
            f"options are repeated: {question.options}": len(set(question.options)) < len(question.options),
            "an option is no text": not all(isinstance(option, str) and option for option in question.options),
            f"options is a {type(question.options).__name__}, not coabench.labels.Choices": not hasattr(
                question.options, "__sub__"
            ),
            "options are not among what is recognised": not set(question.options) <= set(question.recognised),
            f"there is one option only: {question.options}": len(question.options) == 1,
            f"it shows image {max(images, default=0)} of {made.query + 1}": any(
                not 0 <= i <= made.query for i in images
            ),
            f"decode is {question.decode!r}": question.decode not in (None, *DECODES),
            "an open question asks to be scored": not question.options and question.decode in scored,
            "it has no name": not isinstance(question.name, str) or not question.name,
        }
        for problem, there in problems.items():
            self.findings.need(not there, BAD_QUESTION, f"{problem} (question {question.name!r})")

    def conclusion(self, prediction: Any, made: Task, understood: bool) -> None:
        if not isinstance(prediction, Prediction):
            self.findings.add(NO_PREDICTION, f"it returns {prediction!r}")
            raise Stop
        label = prediction.label
        self.findings.need(label is None or label in made.labels, NO_PREDICTION, f"{label!r} is no label of the task")
        self.findings.need((label is None) == (prediction.status != OK), NO_PREDICTION, f"{prediction}")
        self.findings.need(label is not None or prediction.reason, NO_PREDICTION, "no label, and no reason")
        self.findings.need(
            is_json(dict(prediction.details)), NO_PREDICTION, f"details are no JSON: {prediction.details}"
        )
        self.findings.need(label is None or understood, GUESSES, f"it concludes {label!r}")

    def side_by_side(self) -> None:
        """Ask about many samples in lock-step, as a run does, and compare with asking about each alone."""
        for made in self.tasks:
            answerers = [*SENSIBLE, *LAPSES]
            alone = [self.talk(self.make(self.defaults), made, "generate", answerer) for answerer in answerers]
            strategy = self.make(self.defaults)
            together: list[list[Any]] = [[] for _ in answerers]
            running = {i: (strategy.converse(made), None) for i in range(len(answerers))}
            while running:
                for i, (conversation, answer) in list(running.items()):
                    try:
                        question = next(conversation) if answer is None else conversation.send(answer)
                    except StopIteration as end:
                        together[i].append(end.value)
                        del running[i]
                        continue
                    except (Exception, SystemExit) as error:
                        self.findings.add(SHARED_STATE, describe(error))
                        raise Stop from error
                    together[i].append(question)
                    if len(together[i]) > MOST_QUESTIONS:
                        self.findings.add(SHARED_STATE, "it does not end")
                        raise Stop
                    said = answerers[i](question, len(together[i]) - 1)
                    read: Any = understood_as(question, said, made, strategy.parser, "generate")
                    running[i] = (conversation, read)
            for one, many in zip(alone, together, strict=True):
                self.findings.need(one == many, SHARED_STATE, _difference(one, many))

    def teaching(self) -> None:
        for made in self.tasks:
            for target in made.labels:
                turns = self.findings.attempt(
                    UNTEACHABLE, partial(training_turns, ambiguous=True), self.strategy, made, target
                )
                for turn in turns:
                    self.findings.need(
                        turn.answer.response in turn.question.options,
                        UNTEACHABLE,
                        f"{turn.answer.response!r} for {turn.question.name!r} of a sample labelled {target!r}",
                    )

    def options(self) -> None:
        """Use each option, in every mode and with answers of every kind."""

        def use(options: Any) -> None:
            strategy = self.make(options)
            quiet = _Check(self.subject, Findings(""), self.variant, self.chosen)  # findings that nobody reads
            quiet.strategy = strategy
            for made in self.tasks:
                for decode in DECODES:
                    for answerer in (*SENSIBLE, *LAPSES):
                        quiet.talk(strategy, task(made.space, strategy.exemplars), decode, answerer)

        check_read(self.findings, self.defaults, use)


def _difference(one: Sequence[Any], other: Sequence[Any]) -> str:
    for a, b in zip(one, other, strict=False):
        if a != b:
            prompts = [x.prompt if isinstance(x, Question) else x for x in (a, b)]
            if prompts[0] != prompts[1]:
                return f"{str(prompts[0])[:200]!r} and {str(prompts[1])[:200]!r}"
            return f"{a} and {b}"[:400]
    return f"{len(one)} and {len(other)} questions"
