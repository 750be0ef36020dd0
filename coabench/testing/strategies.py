"""Checks of a strategy: does it ask, read answers and conclude as the engine, the parser and training need it to?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from coabench.base.signals import is_interrupt
from coabench.base.vocabulary import OK
from coabench.decode import DECODES, DEMANDS, GENERATE, SCORED, Decode
from coabench.dialogue import Answer, Prediction, Question, Task
from coabench.errors import UserError
from coabench.inference.engine import training_turns
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.strategy import Strategy, StrategyRequest
from coabench.testing.answerers import LAPSES, SENSELESS, SENSIBLE, Answerer, understood_as
from coabench.testing.check import Check, Checks
from coabench.testing.defects import strategies as defects
from coabench.testing.defects.strategies import MOST_QUESTIONS
from coabench.testing.findings import Finding, Stop, describe, is_json
from coabench.testing.options import check_read
from coabench.testing.spaces import BASIC, COMPOUND, task


def check(strategy: str | Registration | Callable[[StrategyRequest], Strategy], options: Any = None) -> list[Finding]:
    """Check a strategy and return what is wrong with it.

    Args:
        strategy: the name it is registered under, its registration, or the target itself.
        options: an instance of its ``Options``; the defaults where there is none.
    """
    findings: list[Finding] = []
    for variant in (None, *_Checks(strategy, None, options).detail("variants", ())):
        for finding in _Checks(strategy, variant, options).result():
            if not any((finding.defect, finding.evidence) == (f.defect, f.evidence) for f in findings):
                findings.append(finding)
    return findings


class _Checks(Checks):
    kind, part, remedy = "strategies", "strategy", "set what it asks for"

    def __init__(self, what: Any, variant: str | None, options: Any) -> None:
        super().__init__(what)
        self.subject = f"strategy {self.registration.name + (f':{variant}' if variant else '')!r}"
        self.variant, self.chosen = variant, options

    def checks(self) -> Iterator[Check]:
        self.factory = self.load()
        self.read_options(getattr(self.factory, "Options", Strategy.Options))
        if self.chosen is not None:
            self.defaults = self.chosen
        strategy = self.strategy = self.make(self.defaults)
        self.need_methods(defects.NO_STRATEGY, strategy, "converse", "identity", "right_answers")
        exemplars, parser = getattr(strategy, "exemplars", None), getattr(strategy, "parser", None)
        self.need(isinstance(exemplars, int) and exemplars >= 0, defects.NO_STRATEGY, f"exemplars = {exemplars!r}")
        known = get_plugins().parsers
        self.need(parser in known, defects.NO_STRATEGY, f"parser = {parser!r}, and there is {', '.join(known)}")
        self.stop_where_wrong()
        yield from (self.identity, self.name, self.conversations, self.side_by_side, self.teaching, self.options)

    def make(self, options: Any) -> Strategy:
        request = StrategyRequest(self.variant, options)
        made: Strategy = self.attempt(defects.NO_STRATEGY, self.factory, request, allowed=UserError)
        return made

    def identity(self) -> None:
        identity = self.attempt(defects.BAD_IDENTITY, self.strategy.identity)
        self.need(isinstance(identity, dict) and is_json(dict(identity)), defects.BAD_IDENTITY, repr(identity)[:200])
        other = self.attempt(defects.BAD_IDENTITY, self.make(self.defaults).identity)
        self.need(other == identity, defects.BAD_IDENTITY, f"{identity} and, made again, {other}")

    def name(self) -> None:
        name = getattr(self.strategy, "name", None)
        if not isinstance(name, str) or not name:
            self.fail(defects.NO_STRATEGY, f"name = {name!r}")
        if self.registration.plugin:
            self.need(name.partition(":")[0] == self.registration.name, defects.BAD_NAME, f"name = {name!r}")

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
            self.fail(defects.RAISES, f"it takes neither basic nor compound labels: {describe(refused or '')}")
        return fitting

    def conversations(self) -> None:
        """Let every answerer answer, twice."""
        for made in self.tasks:
            for decode in DECODES:
                for answerer in (*SENSIBLE, *SENSELESS, *LAPSES):
                    once, again = (
                        self.talk(strategy, made, decode, answerer)
                        for strategy in (self.strategy, self.make(self.defaults))
                    )
                    self.need(once == again, defects.UNSTEADY, _difference(once, again))

    def talk(self, strategy: Strategy, made: Task, decode: Decode, answerer: Answerer) -> list[Any]:
        """Return what was asked, and in the end the prediction; note what is wrong with either."""
        steps = self.steps(strategy, made, decode, answerer)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: list[Any] = end.value
                return result

    def steps(
        self, strategy: Strategy, made: Task, decode: Decode, answerer: Answerer
    ) -> Generator[None, None, list[Any]]:
        """Pause after each question; return what `talk` returns."""
        asked: list[Any] = []
        understood = False
        broken = defects.RAISES if answerer in SENSIBLE else defects.RAISES_ON_UNPARSED
        conversation = self.attempt(defects.RAISES, strategy.converse, made)
        if not hasattr(conversation, "send"):
            self.fail(defects.NO_STRATEGY, f"converse returns {conversation!r}, which is no generator")
        answer: Answer | None = None
        while True:
            try:
                question = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as end:
                self.conclusion(end.value, made, understood)
                return [*asked, end.value]
            except BaseException as error:
                if is_interrupt(error):
                    raise
                self.fail(broken, describe(error) + (f", after the answer {answer.response[:40]!r}" if answer else ""))
            self.question(question, made)
            asked.append(question)
            if len(asked) > MOST_QUESTIONS:
                self.fail(defects.NEVER_ENDS)
            answer = understood_as(question, answerer(question, len(asked) - 1), made, strategy.parser, decode)
            understood = understood or answer.label is not None
            yield

    def question(self, question: Any, made: Task) -> None:
        if not isinstance(question, Question):
            self.fail(defects.BAD_QUESTION, f"it yields {question!r}")
        images = [i for message in question.messages for i in message.images]
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
            f"decode is {question.decode!r}": question.decode not in (None, *DEMANDS),
            "an open question asks to be scored": not question.options and question.decode in SCORED,
            "it has no name": not isinstance(question.name, str) or not question.name,
        }
        for problem, there in problems.items():
            self.need(not there, defects.BAD_QUESTION, f"{problem} (question {question.name!r})")

    def conclusion(self, prediction: Any, made: Task, understood: bool) -> None:
        if not isinstance(prediction, Prediction):
            self.fail(defects.NO_PREDICTION, f"it returns {prediction!r}")
        label = prediction.label
        self.need(label is None or label in made.labels, defects.NO_PREDICTION, f"{label!r} is no label of the task")
        self.need((label is None) == (prediction.status != OK), defects.NO_PREDICTION, f"{prediction}")
        self.need(label is not None or prediction.reason, defects.NO_PREDICTION, "no label, and no reason")
        self.need(
            is_json(dict(prediction.details)), defects.NO_PREDICTION, f"details are no JSON: {prediction.details}"
        )
        self.need(label is None or understood, defects.GUESSES, f"it concludes {label!r}")

    def side_by_side(self) -> None:
        """Ask about many samples in lock-step, as a run does, and compare with asking about each alone."""
        for made in self.tasks:
            answerers = [*SENSIBLE, *LAPSES]
            alone = [self.talk(self.make(self.defaults), made, GENERATE.name, answerer) for answerer in answerers]
            strategy, quiet = self.make(self.defaults), self.quiet()
            running = {i: quiet.steps(strategy, made, GENERATE.name, one) for i, one in enumerate(answerers)}
            while running:
                for i, steps in list(running.items()):
                    try:
                        next(steps)
                    except StopIteration as end:
                        self.need(alone[i] == end.value, defects.SHARED_STATE, _difference(alone[i], end.value))
                        del running[i]
                    except Stop:
                        self.fail(defects.SHARED_STATE, quiet.all[-1].evidence or quiet.all[-1].defect.title)

    def teaching(self) -> None:
        for made in self.tasks:
            for target in made.labels:
                turns = self.attempt(
                    defects.UNTEACHABLE, partial(training_turns, ambiguous=True), self.strategy, made, target
                )
                for turn in turns:
                    self.need(
                        turn.answer.response in turn.question.options,
                        defects.UNTEACHABLE,
                        f"{turn.answer.response!r} for {turn.question.name!r} of a sample labelled {target!r}",
                    )

    def options(self) -> None:
        """Use each option, in every mode and with answers of every kind."""

        def use(options: Any) -> None:
            strategy, quiet = self.make(options), self.quiet()
            for made in self.tasks:
                for decode in DECODES:
                    for answerer in (*SENSIBLE, *LAPSES):
                        quiet.talk(strategy, task(made.space, strategy.exemplars), decode, answerer)

        check_read(self, self.defaults, use)

    def quiet(self) -> _Checks:
        """Return checks of the same strategy whose findings nobody reads."""
        return _Checks(self.registration, self.variant, self.chosen)


def _difference(one: Sequence[Any], other: Sequence[Any]) -> str:
    for a, b in zip(one, other, strict=False):
        if a != b:
            prompts = [x.prompt if isinstance(x, Question) else x for x in (a, b)]
            if prompts[0] != prompts[1]:
                return f"{str(prompts[0])[:200]!r} and {str(prompts[1])[:200]!r}"
            return f"{a} and {b}"[:400]
    return f"{len(one)} and {len(other)} questions"
