"""A backbone that answers from a script and counts what it is asked; a strategy played with scripted answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import log
from typing import Any, ClassVar

from coabench.backbone import Backbone, BackboneRequest, Questions, Viewing
from coabench.decode import Decode
from coabench.dialogue import Answer, Prediction, Question, Task
from coabench.inference.engine import Outcome, advance, understand
from coabench.registry.parsers import find_parser
from coabench.strategy import Strategy

Script = Sequence[str] | Mapping[str, str] | Callable[[Question], str] | None
"""What to say: the responses to the first, second… question about each sample (the last one again after that), or
question name -> response, or a function of the question (whose ``draw`` says how it is sampled); None for the first
option, whatever it is, and where it is sampled for one that is drawn."""

CHOSEN = 0.9
"""The probability of the option that the script names, where a question is scored; the rest share the rest."""


class ScriptedBackbone(Backbone[Any]):
    """Answers from a script. It is its own factory, so that `coabench.testing.registered` can take it as it is.

    Attributes:
        looked: how many batches were looked at.
        images: how many samples were.
        asked: every question that was asked, in order.
        calls: how often a batch of questions was asked.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores", "samples"})

    def __init__(self, script: Script = None) -> None:
        self.script = script
        self.looked = self.images = self.calls = 0
        self.asked: list[Question] = []

    def __call__(self, request: BackboneRequest) -> ScriptedBackbone:
        return self

    def identity(self) -> Mapping[str, Any]:
        """Return a digest of the script; of a function, its name."""
        text = getattr(self.script, "__qualname__", None) or repr(self.script)
        return {"script": hashlib.sha256(text.encode()).hexdigest()}

    def look(self, batch: Sequence[Any]) -> Viewing:
        self.looked += 1
        self.images += len(batch)
        return _ScriptedViewing(self, len(batch))

    def says(self, question: Question, position: int) -> str:
        """Return the response to a question, the *position*-th about its sample."""
        script = self.script
        if script is None:
            return question.options[0] if question.options else "Nothing."
        if callable(script):
            return script(question)
        if isinstance(script, Mapping):
            return script[question.name]
        return script[min(position, len(script) - 1)]


class _ScriptedViewing(Viewing):
    def __init__(self, backbone: ScriptedBackbone, size: int) -> None:
        self.backbone, self.positions = backbone, [0] * size

    def restart(self) -> None:
        self.positions = [0] * len(self.positions)

    def generate(self, questions: Questions) -> list[Answer | None]:
        self.backbone.calls += 1
        return [None if q is None else Answer(self._response(i, q)) for i, q in enumerate(questions)]

    def score(self, questions: Questions) -> list[Answer | None]:
        pairs = zip(questions, self.generate(questions), strict=True)
        return [None if q is None or a is None else replace(a, scores=scored(q, a.response)) for q, a in pairs]

    def sample(self, questions: Questions) -> list[Answer | None]:
        answers = self.generate(questions)
        if self.backbone.script is not None:
            return answers
        return [a and _drawn(q, a) for q, a in zip(questions, answers, strict=True)]

    def _response(self, sample: int, question: Question) -> str:
        self.backbone.asked.append(question)
        self.positions[sample] += 1
        return self.backbone.says(question, self.positions[sample] - 1)


def _drawn(question: Question | None, answer: Answer) -> Answer:
    """Return one of the options as the answer, by the question's draw; the same answer where there are none."""
    if question is None or not question.options:
        return answer
    return Answer(question.options[int(question.draw.uniform(0) * len(question.options))])


def scored(question: Question, response: str) -> dict[str, float]:
    """Return scores under which *response* is the best option; equal ones where it is none of the options."""
    others = len(question.options) - 1
    if response not in question.options or not others:
        return dict.fromkeys(question.options, -log(len(question.options)))
    return {o: log(CHOSEN) if o == response else log((1 - CHOSEN) / others) for o in question.options}


def play(
    strategy: Strategy, task: Task, *responses: str | Answer, decode: Decode = "generate"
) -> tuple[list[Question], Prediction]:
    """Return what the strategy asked and concluded after these responses, read as a run reads them.

    Args:
        responses: one per question, in order: a text, or an `Answer` (with ``scores`` for a scored question).

    Raises:
        AssertionError: it asks more or fewer questions.
    """
    outcome, asked = Outcome(), list[Question]()
    conversation = strategy.converse(task)
    question = advance(conversation, None, outcome)
    for response in responses:
        if question is None:
            raise AssertionError(f"{len(responses)} responses were given, {len(asked)} questions asked")
        asked.append(question)
        answer = Answer(response) if isinstance(response, str) else response
        question = advance(
            conversation, understand(question, answer, task.space, find_parser(strategy.parser), decode), outcome
        )
    if question is not None or outcome.prediction is None:
        raise AssertionError(f"after {len(responses)} responses it still asks: {question and question.prompt}")
    return asked, outcome.prediction
