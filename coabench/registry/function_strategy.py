"""A function from Python as a strategy: a generator that asks questions about a task and returns a label."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from os import PathLike
from typing import Any

from coabench.base.signals import is_interrupt
from coabench.base.text import safe
from coabench.dialogue import Answer, Prediction, Question, Task
from coabench.errors import CoabenchError, JobError, UserError, with_type
from coabench.labels import fold
from coabench.registry.function_code import identified, is_uncertain, line_of
from coabench.strategy import Conversation, Strategy, StrategyRequest

StrategyLike = str | PathLike[str] | Strategy | type[Strategy] | Callable[[Task], Generator[Question, Answer, Any]]
"""A strategy's name, a prompt file or its text; or from Python a strategy, its class, or a generator function."""

FUNCTION = "a generator function of (task) that yields Questions and returns a label or a Prediction"
QUESTION = "a coabench.dialogue.Question: yield Question('…', options=task.labels)"


class FunctionStrategy(Strategy):
    """Asks what a function asks. Its identity is the function's code and what that refers to."""

    def __init__(self, function: Callable[[Task], Any]) -> None:
        self.name = _name(function)
        self._function = function
        self._facts, self._opaque = identified(function)

    def converse(self, task: Task) -> Conversation:
        """Ask what the function asks.

        Raises:
            JobError: it fails, yields something that is no question, or returns something that is no label.
        """
        dialogue = self._call(lambda: self._function(task))
        answer = None
        while True:
            try:
                question = self._call(lambda: dialogue.send(answer))  # noqa: B023 - called at once
            except StopIteration as end:
                return self._concluded(end.value, task)
            if not isinstance(question, Question):
                raise self._failed("yielded no question", QUESTION, question)
            answer = yield question

    def identity(self) -> Mapping[str, Any]:
        return self._facts

    def notes(self) -> Sequence[str]:
        return [is_uncertain("strategy", self._opaque)] if self._opaque else []

    def _call(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except (Exception, SystemExit) as error:
            if isinstance(error, StopIteration | CoabenchError) or is_interrupt(error):
                raise
            found = f"{with_type(error)} ({line_of(error, self._function)})"
            raise JobError(
                f"the strategy {self.name} failed", found=found, remedy="correct the function at that line"
            ) from error

    def _concluded(self, value: Any, task: Task) -> Prediction:
        if isinstance(value, Prediction):
            return value
        if value is None:
            return Prediction.invalid("no-label")
        names = task.space.names
        label = task.space.spellings(names).get(fold(value)) if isinstance(value, str) else None
        if label is None:
            raise self._failed("returned no label", f"{', '.join(names)}; None for none; or a Prediction", value)
        return Prediction(label)

    def _failed(self, what: str, expected: str, value: Any) -> JobError:
        return JobError(
            f"the strategy {self.name} {what}",
            expected=expected,
            found=safe(repr(value), 60),
            remedy="correct the function",
        )


def strategy_from(value: Any) -> Strategy | None:
    """Return the strategy that a generator function, a class or a strategy is; None for something else.

    Raises:
        UserError: a function that is no generator of one task, or a class that cannot be made without arguments.
    """
    if isinstance(value, Strategy):
        return value
    if isinstance(value, type) and issubclass(value, Strategy):
        return _made(value)
    if not callable(value) or isinstance(value, type):
        return None
    try:
        inspect.signature(value).bind(None)
    except (TypeError, ValueError):
        found = "other arguments"
    else:
        called = inspect.unwrap(value)
        if any(map(inspect.isgeneratorfunction, (called, type(called).__call__))):
            return FunctionStrategy(value)
        found = "a function without yield"
    raise UserError(f"strategy={_name(value)} does not fit", expected=FUNCTION, found=found, remedy="correct strategy")


def _made(factory: type[Strategy]) -> Strategy:
    """Return a strategy of a class, which is called as a plugin's is where it takes the request."""
    try:
        inspect.signature(factory).bind()
    except TypeError:
        arguments: tuple[Any, ...] = (StrategyRequest(None, factory.Options()),)
    else:
        arguments = ()
    try:
        return factory(*arguments)
    except TypeError as error:
        raise UserError(
            f"strategy={factory.__name__} does not fit", expected="a class that is made without arguments",
            found=with_type(error), remedy="pass an instance",
        ) from error  # fmt: skip


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")
