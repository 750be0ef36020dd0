"""Asking a backbone in every way that a run may, and comparing its answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from coabench.backbone import Backbone, Viewing
from coabench.decode import GENERATE, MODES, Decode
from coabench.dialogue import Answer, Message, Question
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.labels import Choices
from coabench.sampling import Draw
from coabench.testing.defects import backbones as defects
from coabench.testing.findings import Defect, Findings, describe, is_json
from coabench.testing.pictures import tiny_images
from coabench.testing.spaces import BASIC, COMPOUND

TOLERANCE = 0.02
"""How far two log-probabilities of the same option may lie apart: the noise of arithmetic in batches of other sizes."""

DRAWS = 16
"""So many draws are compared."""

QUESTIONS = (  # of several lengths: batches must be padded
    Question("Which emotion does this face show?", BASIC.basic, name="first"),
    Question(
        "A face can show a mixture of two emotions. Which of these mixtures does this face show? Answer with its name.",
        COMPOUND.names,
        name="second",
    ),
    Question("Is it a happy face?", Choices(("Happiness", "Sadness")), name="third"),
)
OPEN = Question("What do you see?", Choices(), name="open")

Reply = tuple[str, dict[str, float] | None] | None
"""What counts of an answer: the response and the scores; None for a sample that could not be asked about."""


class AnswerChecks:
    """Asks a loaded backbone, and compares its answers.

    Args:
        prepared: at least two samples, prepared.
        questions: those of `QUESTIONS` that it takes, at least one.
    """

    def __init__(
        self, backbone: Backbone[Any], findings: Findings, prepared: Sequence[Any], questions: Sequence[Question]
    ) -> None:
        self.backbone, self.findings, self.prepared = backbone, findings, prepared
        self.first, self.second, self.third = (questions[i % len(questions)] for i in range(3))

    def checks(self) -> list[Callable[[], None]]:
        """Return the checks, to be done one after the other."""
        every: list[Callable[[], None]] = []
        for decode in decodes(self.backbone.capabilities):
            every += [partial(check, decode) for check in (self.repeated, self.batches, self.history, self.exemplars)]
            every += [partial(self.draws, decode)] if MODES[decode].voted and not self.backbone.remote else []
        return [*every, self.open_question] if GENERATE.needs in self.backbone.capabilities else every

    def repeated(self, decode: Decode) -> None:
        """Questions of several kinds, with gaps; and the same again."""
        questions = [self.first, None, self.second, self.third, self.first][: len(self.prepared)]
        once = self.ask(self.prepared, questions, decode=decode)
        if not any(once[0]):
            raise UserError("it could be asked about none of the drawn images")
        again = self.ask(self.prepared, questions, questions, decode=decode)
        for answers in again:
            self.compare(once[0], answers, defects.UNSTEADY)
        self.ask(self.prepared, [None] * len(self.prepared), decode=decode)

    def batches(self, decode: Decode) -> None:
        """All at once, one by one, in the opposite order, and beside other questions."""
        number = len(self.prepared)
        [together] = self.ask(self.prepared, [self.first] * number, decode=decode)
        alone = [self.ask([one], [self.first], decode=decode)[0][0] for one in self.prepared]
        if not alike(alone, together) and alike(sorted(alone, key=str), sorted(together, key=str)):
            self.findings.fail(defects.MISALIGNED, "one by one and at once: " + difference(alone, together))
        self.compare(alone, together, defects.BATCH, "alone and in a batch: ")
        [backwards] = self.ask(self.prepared[::-1], [self.first] * number, decode=decode)
        self.compare(together, backwards[::-1], defects.BATCH, "the batch in another order: ")
        mixed = [self.first if i % 2 else self.second for i in range(number)]
        [answers] = self.ask(self.prepared, mixed, decode=decode)
        same = [answer if mixed[i] is self.first else together[i] for i, answer in enumerate(answers)]
        self.compare(together, same, defects.BATCH, "beside other questions: ")

    def history(self, decode: Decode) -> None:
        number = len(self.prepared)
        [fresh] = self.ask(self.prepared, [self.second] * number, decode=decode)
        _, later = self.ask(self.prepared, [self.first] * number, [self.second] * number, decode=decode)
        self.compare(fresh, later, defects.HISTORY)

    def draws(self, decode: Decode) -> None:
        """Draws of several seeds, hot enough for any model to waver, must not all say the same."""
        hot = [replace(self.first, draw=Draw(temperature=1000.0, seed=seed)) for seed in range(DRAWS)]
        answers = [own for [own] in self.ask([self.prepared[0]], *([question] for question in hot), decode=decode)]
        evidence = f"{DRAWS} times {_words(answers[0])}"
        self.findings.need(len({str(answer) for answer in answers}) > 1, defects.IGNORES_DRAW, evidence)

    def compare(self, one: Sequence[Reply], other: Sequence[Reply], defect: Defect, what: str = "") -> None:
        """Note the defect where answers differ."""
        self.findings.need(alike(one, other), defect, what + difference(one, other))

    def exemplars(self, decode: Decode) -> None:
        """An exemplar before the query image; a backbone that takes one image only must say so in words."""
        shown = Question(
            self.first.prompt, self.first.options, name="shown", images=(1,),
            context=(Message("user", self.first.prompt, (0,)), Message("assistant", self.first.options[0])),
        )  # fmt: skip
        try:
            self.backbone.check([shown], decode)
            prepared = self.backbone.prepare(tiny_images(2), "check/two")
            self.ask([prepared], [shown], decode=decode)
        except CoabenchError:
            return
        except Exception as error:
            self.findings.add(defects.FAILS, f"with an exemplar image: {describe(error)}")

    def open_question(self) -> None:
        """A question without options has an answer in words; one that gives none must say so in words."""
        try:
            self.backbone.check([OPEN], GENERATE.name)
            self.ask(self.prepared[:2], [OPEN, self.first], decode=GENERATE.name)
        except UserError:
            return

    def ask(self, prepared: Sequence[Any], *rounds: Sequence[Question | None], decode: Decode) -> list[list[Reply]]:
        """Look at samples, ask the questions of each round, and return the replies; note what is wrong with them."""
        viewing = self.findings.attempt(defects.FAILS, self.backbone.look, list(prepared), allowed=UserError)
        if all(getattr(type(viewing), name, None) is getattr(Viewing, name) for name in ("ask", decode)):
            evidence = f"it declares {MODES[decode].needs}, and its viewing has no method {decode}"
            self.findings.fail(defects.BAD_CAPABILITIES, evidence)
        replies = []
        for questions in rounds:
            answers = self.findings.attempt(defects.FAILS, viewing.ask, questions, decode, allowed=UserError)
            if not isinstance(answers, Sequence) or len(answers) != len(questions):
                length = len(answers) if isinstance(answers, Sequence) else repr(answers)
                self.findings.fail(defects.MISALIGNED, f"{len(questions)} questions, {length} answers")
            replies.append([self.reply(q, a, decode) for q, a in zip(questions, answers, strict=True)])
        return replies

    def reply(self, question: Question | None, answer: Any, decode: Decode) -> Reply:
        if question is None:
            self.findings.need(answer is None, defects.MISALIGNED, f"where nothing was asked stands {answer!r}")
            return None
        if isinstance(answer, SampleError):
            return None
        if not isinstance(answer, Answer) or not isinstance(answer.response, str):
            self.findings.fail(defects.MISALIGNED, f"where {question.prompt!r} was asked stands {answer!r}")
        label, match = answer.label, answer.match
        self.findings.need(label is None and match is None, defects.PARSES, f"label = {label!r}, match = {match!r}")
        if not question.mode(decode).scored:
            return answer.response, None
        return answer.response, self.scores(question, answer.scores)

    def scores(self, question: Question, scores: Any) -> dict[str, float]:
        if not isinstance(scores, Mapping) or list(scores) != list(question.options):
            self.findings.fail(defects.NO_SCORES, f"options {list(question.options)}, scores {scores}")
        values = list(scores.values())
        if not all(isinstance(value, float | int) for value in values):
            self.findings.fail(defects.NOT_LOG, f"no plain number, as a record needs it: {values[0]!r}")
        rounded = {option: round(value, 4) for option, value in scores.items()}
        self.findings.need(is_json(values), defects.NOT_LOG, f"not finite: {rounded}")
        self.findings.need(all(not value > 1e-6 for value in values), defects.NOT_LOG, f"greater than 0: {rounded}")
        total = sum(math.exp(min(value, 9.0)) for value in values if not math.isnan(value))
        self.findings.need(total <= 1.001, defects.NOT_LOG, f"exponentials add up to {total:.3f}: {rounded}")
        return dict(scores)


def decodes(capabilities: frozenset[str]) -> list[Decode]:
    """Return the modes in which a backbone with these capabilities can be asked."""
    return [mode.name for mode in MODES.values() if mode.needs in capabilities]


def alike(one: Sequence[Reply], other: Sequence[Reply]) -> bool:
    """Whether the same was answered, up to `TOLERANCE`."""
    return all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: Reply, other: Reply) -> bool:
    if one is None or other is None:
        return one is other
    if one[1] is None or other[1] is None:
        return one == other
    pairs = zip(one[1].values(), other[1].values(), strict=True)
    return all(math.isclose(a, b, rel_tol=1e-3, abs_tol=TOLERANCE) for a, b in pairs)


def difference(one: Sequence[Reply], other: Sequence[Reply]) -> str:
    """Return the first pair of answers that differ, in words."""
    for position, (a, b) in enumerate(zip(one, other, strict=True)):
        if not _same(a, b):
            return f"{_words(a)} and {_words(b)} for image {position}"
    return ""


def _words(reply: Reply) -> str:
    if reply is None:
        return "nothing"
    if not reply[1]:
        return repr(reply[0][:80])
    return str({option: round(score, 3) for option, score in reply[1].items()})
