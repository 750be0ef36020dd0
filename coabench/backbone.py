"""The Backbone interface: look at the images of a batch once, then answer any number of questions about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from coabench.dialogue import Answer, Decode, Question

if TYPE_CHECKING:
    from PIL.Image import Image

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class BackboneRequest:
    """What the user asked for; a backbone's factory is called with it.

    Attributes:
        model: what stands after the colon of ``--backbone NAME:MODEL`` (a folder, a hub id), or None.
        adapter: a folder or hub id, or None for none.
        device: ``auto``, or a torch device such as ``cpu`` or ``cuda:0``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        options: an instance of the backbone's `Backbone.Options`, filled from ``--set``.
    """

    model: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    options: Any = None


class Viewing(ABC):
    """A batch of samples that has been looked at. Questions about it share what the looking has computed."""

    @abstractmethod
    def ask(self, questions: Sequence[Question | None], decode: Decode = "generate") -> list[Answer | None]:
        """Answer one optional question per sample (None where a sample has no question pending).

        The answers stand in the order of the questions, None where there was none. An answer must not depend on
        what else is in the batch.
        """


class Backbone(ABC, Generic[Prepared]):
    """A model that looks at images and answers questions about them.

    The constructor takes a `BackboneRequest` and only checks it: paths, files, names, an adapter that does not fit
    as far as can be seen without weights (`UserError`). `load` brings in the weights. Between the two the run
    directory is opened, so that a mistake is found before minutes of loading.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates"})
    """Which of ``generates``, ``scores``, ``trains`` this backbone can do."""

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return everything about this backbone that can change an answer, JSON-serialisable.

        The run's identity contains it: weights, adapter, dtype, options. Callable before `load`.
        """

    def details(self) -> Mapping[str, Any]:
        """Return what is worth recording but changes no answer: device, library versions, notes for the user."""
        return {}

    def load(self) -> None:
        """Bring in the weights. Called once, before the first `look`; may raise `UserError`."""
        return

    def prepare(self, images: Sequence[Image]) -> Prepared:
        """Turn the images of one sample (exemplars first, the query last) into what `look` takes.

        Called in background threads, ahead of `look`. Raises `SampleError` for images that cannot be used.
        """
        return images  # type: ignore[return-value]

    @abstractmethod
    def look(self, batch: Sequence[Prepared]) -> Viewing:
        """Look at a batch of prepared samples."""
