"""The Transform interface: what becomes of an image before a backbone sees it."""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.base.names import to_hash
from coabench.detector import Landmarks

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class TransformRequest:
    """What the user asked for; a transform's factory is called with it.

    Attributes:
        options: an instance of the `Transform.Options` that the factory declares, filled from ``NAME:key=value,…``.
        seed: that of the run.
    """

    options: Any = None
    seed: int = 0


@dataclass(frozen=True)
class Subject:
    """Whose image it is.

    Attributes:
        sample: the sample's id.
        seed: that of the run.
        landmarks: where the eyes, the tip of the nose and the corners of the mouth lie in the image, where ``--crop``
            found them or the data set knows them, and no transform before this one has moved them; None where that is
            not known. One that needs them raises `SampleError` then, and guesses nothing.
        occasion: which of several times, and which of several transforms; empty for the first of an evaluation.
    """

    sample: str
    seed: int = 0
    landmarks: Landmarks | None = None
    occasion: str = ""

    def random(self) -> random.Random:
        """Return a new generator that sample, seed and occasion decide, and nothing else."""
        occasion = f":{self.occasion}" if self.occasion else ""
        digest = hashlib.sha256(to_hash(f"{self.seed}:{self.sample}{occasion}")).digest()
        return random.Random(int.from_bytes(digest))


class Transform(ABC):
    """Changes images.

    The constructor takes a `TransformRequest` and keeps its options; override it to raise `UserError` where they do not
    fit together, or to prepare what all images share. Bounds of a single option belong in its type:
    ``quality: Annotated[int, between(1, 95)] = 50`` (`coabench.base.schema.between`).

    Attributes:
        options: the instance of `Options` that was asked for.
        keeps_places: whether everything stays where it is in the image, as in a grey one: later transforms then know
            where the face's landmarks are.
        varies: whether what it does is drawn by `Subject.random`, so that it can augment a training.
        severities: options for ``severity=1``, ``severity=2`` and so on, from the mildest; empty for one without. State
            them so that they mean the same for a small and a large image.
    """

    keeps_places: ClassVar[bool] = False
    varies: ClassVar[bool] = False
    severities: ClassVar[tuple[Any, ...]] = ()

    @dataclass(frozen=True)
    class Options:
        """The parameters, with their defaults; override in a subclass."""

    def __init__(self, request: TransformRequest) -> None:
        self.options: Any = request.options

    @abstractmethod
    def apply(self, image: Image, subject: Subject) -> Image:
        """Return what becomes of an image: 8-bit RGB, of the same size. It is called in several threads at once.

        The same image, sample and seed always give the same pixels. The image that it gets is not written to.

        Raises:
            SampleError: nothing can be made of this image; the sample gets a record that says so.
        """
