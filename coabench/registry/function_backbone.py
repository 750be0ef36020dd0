"""A function from Python as a backbone: it gets an image and a question, and returns text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.backbone import Backbone, BackboneRequest, Questions, Viewing
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, UserError, with_type
from coabench.registry.function_code import identified, is_uncertain

if TYPE_CHECKING:
    from PIL.Image import Image

ONE, MANY = ("image", "question"), ("images", "questions")
TAKEN = "a function of (image, question) that returns text, or of (images, questions) that returns a list of texts"


class FunctionBackbone(Backbone["Sequence[Image]"]):
    """Asks a function; a subclass holds it."""

    function: ClassVar[Callable[..., Any]]
    batched: ClassVar[bool]
    facts: ClassVar[Mapping[str, str]]
    opaque: ClassVar[str | None]

    def __init__(self, request: BackboneRequest) -> None:
        return

    def identity(self) -> Mapping[str, Any]:
        return self.facts

    def details(self) -> Mapping[str, Any]:
        return {"notes": [is_uncertain("function", self.opaque)] if self.opaque else []}

    def look(self, batch: Sequence[Sequence[Image]]) -> Viewing:
        return _FunctionViewing(type(self), batch)


class _FunctionViewing(Viewing):
    def __init__(self, backbone: type[FunctionBackbone], batch: Sequence[Sequence[Image]]) -> None:
        self._backbone, self._batch = backbone, batch

    def generate(self, questions: Questions) -> list[Answer | None]:
        asked = [(i, question) for i, question in enumerate(questions) if question is not None]
        images = [_shown(self._batch[i], question) for i, question in asked]
        texts = self._call(images, ["\n".join(m.text for m in question.messages) for _, question in asked])
        answers: list[Answer | None] = [None] * len(questions)
        for (i, _), text in zip(asked, texts, strict=True):
            answers[i] = Answer(text)
        return answers

    def _call(self, images: Sequence[Any], questions: Sequence[str]) -> Sequence[str]:
        function, name = self._backbone.function, self._backbone.__name__
        try:
            if self._backbone.batched:
                texts = function(images, questions)
            else:
                texts = [function(image, question) for image, question in zip(images, questions, strict=True)]
        except Exception as error:
            raise JobError(f"the function {name} failed", found=with_type(error), remedy="mend it") from error
        if not isinstance(texts, list | tuple) or len(texts) != len(questions):
            found = f"{len(texts)} of them" if isinstance(texts, list | tuple) else f"a {type(texts).__name__}"
            raise JobError(
                f"the function {name} returned no answers", expected=f"a list of {len(questions)} texts", found=found,
                remedy="return one for each question",
            )  # fmt: skip
        for text in texts:
            if not isinstance(text, str):
                raise JobError(
                    f"the function {name} returned no text", expected="the answer, such as 'Happiness'",
                    found=repr(text)[:60], remedy="return a str",
                )  # fmt: skip
        return texts


def _shown(images: Sequence[Image], question: Question) -> Any:
    """Return the image of a question; a list of them where it shows exemplars."""
    chosen = [images[k] for k in question.images]
    return chosen[0] if len(chosen) == 1 else chosen


def backbone_from(value: Any) -> str | type[Backbone[Any]]:
    """Return a backbone's name or class as it is, a function as a class; `UserError` for anything else."""
    if isinstance(value, str) or (isinstance(value, type) and issubclass(value, Backbone)):
        return value
    if not callable(value) or isinstance(value, type):
        raise UserError(
            f"backbone={repr(value)[:60]} does not fit",
            expected=f"NAME[:MODEL], a class derived from Backbone, or {TAKEN}",
            remedy="correct backbone",
        )
    return backbone_of(value)


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
    return type(name, (FunctionBackbone,), members)
