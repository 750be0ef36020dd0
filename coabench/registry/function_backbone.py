"""A function from Python as a backbone: it gets an image and a question, and returns text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.backbone import Answers, Backbone, BackboneRequest, Questions, Viewing
from coabench.base.resources import shortage
from coabench.base.signals import is_interrupt
from coabench.dialogue import Answer, Question
from coabench.errors import CoabenchError, JobError, SampleError, UserError, with_type
from coabench.registry.function_code import identified, is_uncertain, line_of
from coabench.registry.loader import get_plugins

if TYPE_CHECKING:
    from PIL.Image import Image

BackboneLike = str | type[Backbone[Any]] | Callable[..., Any] | tuple[Any, Any]
"""A backbone's name; or from Python a class, a function, or a model of transformers and its processor."""

ONE, MANY = ("image", "question"), ("images", "questions")
TAKEN = "a function of (image, question) that returns text, or of (images, questions) that returns a list of texts"


class FunctionBackbone(Backbone["Sequence[Image]"]):
    """Asks a function; a subclass holds it. Where the function raises an error, that sample has an error record."""

    function: ClassVar[Callable[..., Any]]
    batched: ClassVar[bool]
    facts: ClassVar[Mapping[str, str]]
    opaque: ClassVar[str | None]

    def __init__(self, request: BackboneRequest) -> None:
        self._failures: list[str] = []

    def identity(self) -> Mapping[str, Any]:
        return self.facts

    def details(self) -> Mapping[str, Any]:
        notes = [is_uncertain("function", self.opaque)] if self.opaque else []
        if self._failures:
            count = "once" if len(self._failures) == 1 else f"{len(self._failures):,} times"
            notes.append(f"the function {type(self).__name__} failed {count}, first with {self._failures[0]}")
        return {"notes": notes}

    def look(self, batch: Sequence[Sequence[Image]]) -> Viewing:
        return _FunctionViewing(type(self), batch, self._failures.append)


class _FunctionViewing(Viewing):
    def __init__(
        self, backbone: type[FunctionBackbone], batch: Sequence[Sequence[Image]], failed: Callable[[str], None]
    ) -> None:
        self._backbone, self._batch, self._failed = backbone, batch, failed
        self._name = backbone.__name__

    def generate(self, questions: Questions) -> Answers:
        asked = [(i, question) for i, question in enumerate(questions) if question is not None]
        images = [_shown(self._batch[i], question) for i, question in asked]
        texts = ["\n".join(m.text for m in question.messages) for _, question in asked]
        answers: list[Answer | SampleError | None] = [None] * len(questions)
        for (i, _), answer in zip(asked, self._answers(images, texts), strict=True):
            answers[i] = answer
        return answers

    def _answers(self, images: Sequence[Any], texts: Sequence[str]) -> list[Answer | SampleError]:
        """Return an answer or an error to each question; where those to a batch are none, one by one."""
        if not self._backbone.batched:
            return [self._answer(image, text) for image, text in zip(images, texts, strict=True)]
        try:
            said = self._call(list(images), list(texts))
        except SampleError as error:
            if len(texts) == 1:
                return [self._noted(error)]
            return [each for one in zip(images, texts, strict=True) for each in self._answers([one[0]], [one[1]])]
        if not isinstance(said, list | tuple) or len(said) != len(texts):
            found = f"{len(said)} of them" if isinstance(said, list | tuple) else f"a {type(said).__name__}"
            raise JobError(
                f"the function {self._name} returned no answers", expected=f"a list of {len(texts)} texts",
                found=found, remedy="return one for each question",
            )  # fmt: skip
        return [self._text(each) for each in said]

    def _answer(self, image: Any, text: str) -> Answer | SampleError:
        try:
            return self._text(self._call(image, text))
        except SampleError as error:
            return self._noted(error)

    def _noted(self, error: SampleError) -> SampleError:
        self._failed(error.problem)
        return error

    def _text(self, said: Any) -> Answer:
        if isinstance(said, str):
            return Answer(said)
        raise JobError(
            f"the function {self._name} returned no text", expected="the answer, such as 'Happiness'",
            found=repr(said)[:60], remedy="return a str",
        )  # fmt: skip

    def _call(self, *arguments: Any) -> Any:
        """Call the function; `SampleError` with its line where it fails."""
        try:
            return self._backbone.function(*arguments)
        except (Exception, SystemExit) as error:
            if isinstance(error, CoabenchError) or is_interrupt(error):
                raise
            if short := shortage(error):
                raise short from error
            raise SampleError(f"{with_type(error)} ({line_of(error, self._backbone.function)})") from error


def _shown(images: Sequence[Image], question: Question) -> Any:
    """Return the image of a question; where it shows exemplars, a list of them, in the order in which it does.

    They are copies: what the function draws on them is not there in the next question.
    """
    order = dict.fromkeys(k for message in question.messages for k in message.images)
    chosen = [images[k].copy() for k in order]
    return chosen[0] if len(chosen) == 1 else chosen


def backbone_from(value: Any) -> str | type[Backbone[Any]]:
    """Return a backbone's name or class as it is, a function or a loaded model as a class.

    Raises:
        UserError: something else.
    """
    if isinstance(value, str) or (isinstance(value, type) and issubclass(value, Backbone)):
        return value
    if _is_model(value):
        return _of_loaded(value)
    if not callable(value) or isinstance(value, type):
        raise UserError(
            f"backbone={repr(value)[:60]} does not fit",
            expected=f"NAME[:MODEL], a class derived from Backbone, {TAKEN}, or (model, processor) of transformers",
            remedy="correct backbone",
        )
    return backbone_of(value)


def _is_model(value: Any) -> bool:
    """Whether it is a model with what belongs to it, or a model, which would pass for a function."""
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    return isinstance(value, tuple | list) or not packages.isdisjoint(("torch", "transformers", "peft"))


def _of_loaded(value: Any) -> type[Backbone[Any]]:
    """Return the backbone that a plugin makes of a model that is loaded."""
    for registration in get_plugins().backbones.values():
        if target := registration.details.get("loaded"):
            made: type[Backbone[Any]] = replace(registration, target=target).load()(value)
            return made
    raise UserError("no plugin takes a model that is loaded", remedy="`coabench plugins list` shows what is left out")


def backbone_of(function: Callable[..., Any]) -> type[FunctionBackbone]:
    """Return a backbone that asks a function.

    Its identity is the function's code and what that refers to; where this cannot be had, it is another each time.

    Raises:
        UserError: it takes other arguments.
    """
    name = getattr(function, "__name__", type(function).__name__).strip("<>")
    try:
        signature = inspect.signature(function)
        signature.bind(None, None)
    except (TypeError, ValueError):
        raise UserError(f"the function {name} does not fit", expected=TAKEN, remedy="give it these arguments") from None
    batched = tuple(signature.parameters)[:2] == MANY
    facts, opaque = identified(function)
    members = {"function": staticmethod(function), "batched": batched, "facts": facts, "opaque": opaque}
    members["__module__"] = __name__
    return type(name, (FunctionBackbone,), members)
