"""Asking a backbone in every way that a run may, and comparing what it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from coabench.backbone import Backbone, Viewing
from coabench.decode import GENERATE, MODES, Decode
from coabench.dialogue import Answer, Message, Question
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.labels import Choices
from coabench.testing.defects.backbones import (
    BAD_CAPABILITIES,
    BATCH,
    FAILS,
    HISTORY,
    MISALIGNED,
    NO_SCORES,
    NOT_LOG,
    PARSES,
    UNSTEADY,
)
from coabench.testing.findings import Findings, Stop, describe, is_json
from coabench.testing.pictures import tiny_images
from coabench.testing.spaces import BASIC, COMPOUND

TOLERANCE = 0.02
"""How far two log-probabilities of the same option may lie apart: the noise of arithmetic in batches of other sizes."""

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

Said = tuple[str, dict[str, float] | None] | None
"""What counts of an answer: the response and the scores; None for a sample that could not be asked about."""


class Asking:
    """Asks a loaded backbone.

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
            every += [
                partial(check, decode) for check in (self.again, self.batches, self.history, self.with_an_exemplar)
            ]
        return [*every, self.openly] if GENERATE.needs in self.backbone.capabilities else every

    def again(self, decode: Decode) -> None:
        """Questions of several kinds, with gaps; and the same again."""
        questions = [self.first, None, self.second, self.third, self.first][: len(self.prepared)]
        once = self.ask(self.prepared, questions, decode=decode)
        if not any(once[0]):
            raise UserError("it could be asked about none of the drawn images")
        again = self.ask(self.prepared, questions, questions, decode=decode)
        for answers in again:
            self.findings.need(alike(once[0], answers), UNSTEADY, difference(once[0], answers))
        self.ask(self.prepared, [None] * len(self.prepared), decode=decode)

    def batches(self, decode: Decode) -> None:
        """All at once, one by one, in the opposite order, and beside other questions."""
        number = len(self.prepared)
        [together] = self.ask(self.prepared, [self.first] * number, decode=decode)
        alone = [self.ask([one], [self.first], decode=decode)[0][0] for one in self.prepared]
        if not alike(alone, together) and alike(sorted(alone, key=str), sorted(together, key=str)):
            self.findings.add(MISALIGNED, "one by one and at once: " + difference(alone, together))
            raise Stop
        self.findings.need(alike(alone, together), BATCH, "alone and in a batch: " + difference(alone, together))
        [turned] = self.ask(self.prepared[::-1], [self.first] * number, decode=decode)
        turned = turned[::-1]
        self.findings.need(
            alike(together, turned), BATCH, "the batch in another order: " + difference(together, turned)
        )
        mixed = [self.first if i % 2 else self.second for i in range(number)]
        [beside] = self.ask(self.prepared, mixed, decode=decode)
        kept = [answer if mixed[i] is self.first else together[i] for i, answer in enumerate(beside)]
        self.findings.need(alike(together, kept), BATCH, "beside other questions: " + difference(together, kept))

    def history(self, decode: Decode) -> None:
        number = len(self.prepared)
        [fresh] = self.ask(self.prepared, [self.second] * number, decode=decode)
        _, later = self.ask(self.prepared, [self.first] * number, [self.second] * number, decode=decode)
        self.findings.need(alike(fresh, later), HISTORY, difference(fresh, later))

    def with_an_exemplar(self, decode: Decode) -> None:
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
            self.findings.add(FAILS, f"with an exemplar image: {describe(error)}")

    def openly(self) -> None:
        """A question without options has an answer in words; one that gives none must say so in words."""
        try:
            self.backbone.check([OPEN], GENERATE.name)
            self.ask(self.prepared[:2], [OPEN, self.first], decode=GENERATE.name)
        except UserError:
            return

    def ask(self, prepared: Sequence[Any], *rounds: Sequence[Question | None], decode: Decode) -> list[list[Said]]:
        """Look at samples, ask the questions of each round, and return what was said; note what is wrong with it."""
        viewing = self.findings.attempt(FAILS, self.backbone.look, list(prepared), allowed=UserError)
        if all(getattr(type(viewing), name, None) is getattr(Viewing, name) for name in ("ask", decode)):
            evidence = f"it declares {MODES[decode].needs}, and its viewing has no method {decode}"
            self.findings.add(BAD_CAPABILITIES, evidence)
            raise Stop
        said = []
        for questions in rounds:
            answers = self.findings.attempt(FAILS, viewing.ask, questions, decode, allowed=UserError)
            if not isinstance(answers, Sequence) or len(answers) != len(questions):
                length = len(answers) if isinstance(answers, Sequence) else repr(answers)
                self.findings.add(MISALIGNED, f"{len(questions)} questions, {length} answers")
                raise Stop
            said.append([self.read(q, a, decode) for q, a in zip(questions, answers, strict=True)])
        return said

    def read(self, question: Question | None, answer: Any, decode: Decode) -> Said:
        if question is None:
            self.findings.need(answer is None, MISALIGNED, f"where nothing was asked stands {answer!r}")
            return None
        if isinstance(answer, SampleError):
            return None
        if not isinstance(answer, Answer) or not isinstance(answer.response, str):
            self.findings.add(MISALIGNED, f"where {question.prompt!r} was asked stands {answer!r}")
            raise Stop
        self.findings.need(
            answer.label is None and answer.match is None, PARSES, f"label = {answer.label!r}, match = {answer.match!r}"
        )
        if not question.mode(decode).scored:
            return answer.response, None
        return answer.response, self.scores(question, answer.scores)

    def scores(self, question: Question, scores: Any) -> dict[str, float]:
        if not isinstance(scores, Mapping) or list(scores) != list(question.options):
            self.findings.add(NO_SCORES, f"options {list(question.options)}, scores {scores}")
            raise Stop
        values = list(scores.values())
        if not all(isinstance(value, float | int) for value in values):
            self.findings.add(NOT_LOG, f"no plain number, as a record needs it: {values[0]!r}")
            raise Stop
        told_as = {option: round(value, 4) for option, value in scores.items()}
        self.findings.need(is_json(values), NOT_LOG, f"not finite: {told_as}")
        self.findings.need(all(not value > 1e-6 for value in values), NOT_LOG, f"greater than 0: {told_as}")
        total = sum(math.exp(min(value, 9.0)) for value in values if not math.isnan(value))
        self.findings.need(total <= 1.001, NOT_LOG, f"exponentials add up to {total:.3f}: {told_as}")
        return dict(scores)


def decodes(capabilities: frozenset[str]) -> list[Decode]:
    """Return the modes in which a backbone with these capabilities can be asked."""
    return [mode.name for mode in MODES.values() if mode.needs in capabilities]


def alike(one: Sequence[Said], other: Sequence[Said]) -> bool:
    """Whether the same was said, up to `TOLERANCE`."""
    return all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: Said, other: Said) -> bool:
    if one is None or other is None:
        return one is other
    if one[1] is None or other[1] is None:
        return one == other
    pairs = zip(one[1].values(), other[1].values(), strict=True)
    return all(math.isclose(a, b, rel_tol=1e-3, abs_tol=TOLERANCE) for a, b in pairs)


def difference(one: Sequence[Said], other: Sequence[Said]) -> str:
    """Return the first pair of answers that differ, in words."""
    for position, (a, b) in enumerate(zip(one, other, strict=True)):
        if not _same(a, b):
            return f"{_words(a)} and {_words(b)} for image {position}"
    return ""


def _words(said: Said) -> str:
    if said is None:
        return "nothing"
    if not said[1]:
        return repr(said[0][:80])
    return str({option: round(score, 3) for option, score in said[1].items()})
