"""Letting a strategy hear given responses."""

from __future__ import annotations

from coabench.dialogue import Answer, Decode, Prediction, Question, Task
from coabench.engine import Outcome, advance, understand
from coabench.strategy import Strategy


def play(
    strategy: Strategy, task: Task, *responses: str | Answer, decode: Decode = "generate"
) -> tuple[list[Question], Prediction]:
    """Return what the strategy asked and concluded when it heard these responses, read as a run reads them.

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
        given = Answer(response) if isinstance(response, str) else response
        question = advance(conversation, understand(question, given, task.space, strategy.parser, decode), outcome)
    if question is not None or outcome.prediction is None:
        raise AssertionError(f"after {len(responses)} responses it still asks: {question and question.prompt}")
    return asked, outcome.prediction
