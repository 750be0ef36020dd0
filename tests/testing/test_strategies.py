"""Defects of strategies, planted, are named; the strategies that are registered have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from coabench.dialogue import Prediction, Question
from coabench.labels import Choices
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.strategy import Strategy
from coabench.testing.strategies import check


class Sound(Strategy):
    """One question over the labels."""

    name = "sound"

    def __init__(self, request: Any) -> None:
        self.options = request.options

    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed-answer")

    def identity(self) -> dict[str, Any]:
        return {"version": 1}


class Crashes(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        return Prediction(task.labels[task.labels.index(answer.label)])  # ValueError where the label is None


class CrashesAlways(Sound):
    def converse(self, task: Any) -> Any:
        yield Question("Which?", task.lables)


class Guesses(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label or task.labels[0])


class Forgets(Sound):
    @dataclass(frozen=True)
    class Options:
        patience: int = 3


class Remembers(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.basic)
        self.first = answer.label
        second = yield Question("And then?", task.labels)
        prompt = f"You said {self.first}."  # of whichever sample spoke last
        last = yield Question(prompt, task.labels)
        return Prediction(last.label) if last.label and second.label else Prediction.invalid("unparsed")


class Rolls(Sound):
    def converse(self, task: Any) -> Any:
        import random

        options = list(task.labels)
        random.shuffle(options)
        answer = yield Question(f"Which of {options}?", Choices(options))
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed")


class Insists(Sound):
    def converse(self, task: Any) -> Any:
        label = None
        while label is None:
            label = (yield Question("Which?", task.labels)).label
        return Prediction(label)


class AsksNothing(Sound):
    def converse(self, task: Any) -> Any:
        return Prediction(task.labels[0])


class InventsLabels(Sound):
    def converse(self, task: Any) -> Any:
        yield Question("Which?", task.labels)
        return Prediction("Joy")


class NoReason(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label, "ok" if answer.label else "invalid")


class ShowsTooMuch(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels, images=(3,))
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed")


class TwiceTheSame(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", Choices([*task.labels, task.labels[0]]))
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed")


class TeachesNonsense(Sound):
    def right_answers(self, question: Any, task: Any, target: str) -> list[str]:
        return ["Serenity"]


class IdentityOfObjects(Sound):
    def identity(self) -> dict[str, Any]:
        return {"options": self}


class IdentityOfTheMoment(Sound):
    def identity(self) -> dict[str, Any]:
        return {"at": id(object()), "made": id(self)}


class DetailsOfObjects(Sound):
    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        if answer.label is None:
            return Prediction.invalid("unparsed")
        return Prediction(answer.label, details={"agreement": float("nan")})


class Untyped(Sound):
    class Options:
        patience = 3


class Parserless(Sound):
    parser = "clever"


PLANTED = {
    "raises-on-unparsed-answer": Crashes,
    "raises": CrashesAlways,
    "label-from-nothing": Guesses,
    "ignored-option": Forgets,
    "shared-state": Remembers,
    "unsteady-questions": Rolls,
    "never-ends": Insists,
    "no-prediction": InventsLabels,
    "unusable-question": ShowsTooMuch,
    "unusable-right-answers": TeachesNonsense,
    "unusable-identity": IdentityOfObjects,
    "unusable-options": Untyped,
    "no-strategy": Parserless,
}
MORE = [
    (AsksNothing, "no-strategy"),
    (NoReason, "no-prediction"),
    (TwiceTheSame, "unusable-question"),
    (IdentityOfTheMoment, "unusable-identity"),
    (DetailsOfObjects, "no-prediction"),
    (object, "no-strategy"),
]


@pytest.mark.parametrize(("planted", "named"), [*((c, n) for n, c in PLANTED.items()), *MORE])
def test_a_planted_defect_is_named(planted: Any, named: str) -> None:
    findings = check(planted)
    assert named in {finding.defect.name for finding in findings}
    finding = next(finding for finding in findings if finding.defect.name == named)
    text = str(finding)
    assert finding.defect.title in text
    assert "why it matters" in text
    assert "what to do" in text
    assert planted.__name__ in text


def test_a_sound_strategy_has_no_finding() -> None:
    assert check(Sound) == []


def test_the_file_and_line_of_an_exception_are_named() -> None:
    [finding] = [f for f in check(Crashes) if f.defect.name == "raises-on-unparsed-answer"]
    assert "test_strategies.py, line " in finding.evidence
    assert "ValueError" in finding.evidence


def test_a_name_that_differs_from_the_registered_one() -> None:
    registration = Registration("louder", "support.sound:Sound", "mine", "1", "")
    assert "not-importable" in {f.defect.name for f in check(registration)}


@pytest.mark.parametrize("name", list(get_plugins().strategies))
def test_registered_strategies_conform(name: str) -> None:
    assert [str(finding) for finding in check(name)] == []
