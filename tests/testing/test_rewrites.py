"""Defects of rewrites, planted, are named; a sound one has none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from support.planted import assert_named

from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.rewrite import Rewrite, Rewritten
from coabench.testing.rewrites import check


class Sound(Rewrite):
    """Asks in other words."""

    @dataclass(frozen=True)
    class Options:
        text: str = "Now:"

    def rewrite(self, question: Question) -> Rewritten:
        context = tuple(replace(m, text=f"{self.options.text} {m.text}") for m in question.context)
        return Rewritten(replace(question, prompt=f"{self.options.text} {question.prompt}", context=context))


class Fails(Sound):
    def rewrite(self, question: Question) -> Rewritten:
        return Rewritten(replace(question, prompt=question.prompt + question.options[0]))


class Returns(Sound):
    def rewrite(self, question: Question) -> Any:
        return question


class Loses(Sound):
    def rewrite(self, question: Question) -> Rewritten:
        return Rewritten(replace(question, options=Choices(question.options[1:])))


class Counts(Sound):
    numbers = count()

    def rewrite(self, question: Question) -> Rewritten:
        return Rewritten(replace(question, prompt=f"{next(self.numbers)} {question.prompt}"))


class Forgets(Sound):
    def rewrite(self, question: Question) -> Rewritten:
        return Rewritten(replace(question, prompt=question.prompt.upper()))


class Ignores(Sound):
    def rewrite(self, question: Question) -> Rewritten:
        return Rewritten(question)


def test_a_sound_rewrite_has_no_defect() -> None:
    assert [str(finding) for finding in check(Sound)] == []


@pytest.mark.parametrize(
    ("rewrite", "defect"),
    [
        (Fails, "fails"), (Returns, "no-rewritten"), (Loses, "loses-labels"), (Counts, "unsteady-question"),
        (Forgets, "leaves-chat"), (Ignores, "ignored-option"), (lambda request: 1 / 0, "no-rewrite"),
        (lambda request: object(), "no-rewrite"),
    ],
)  # fmt: skip
def test_a_defect_is_named(rewrite: Any, defect: str) -> None:
    assert_named(check(rewrite), defect)
