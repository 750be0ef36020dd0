"""What is done to a picture between its file and the backbone: an ordered list of steps, such as cutting out the face.

The steps depend on the `ImageSource`s of a data set, so that whoever reads the image of a sample, in
`coabench.inference.loading`, sees the same. The bytes of a source, its size and every hash stay those of the file: a
picture is recognised by them whatever is done to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from coabench.dataset import Check, Dataset, ImageSource, Sample
from coabench.detector import Landmarks
from coabench.errors import SampleError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Prepared:
    """What a step made of a picture.

    Attributes:
        image: 8-bit RGB.
        notes: what was done that is not done to every picture, for the record's ``image_notes``.
        facts: what the record keeps under the step's name, JSON-serialisable.
        landmarks: where the face's lie in *image*, for the steps that follow; None where they are not known.
    """

    image: Image
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    landmarks: Landmarks | None = None


class Unprepared(SampleError):
    """Nothing can be made of a picture.

    Args:
        facts: what the record keeps nevertheless, as in `Prepared`.
    """

    def __init__(self, problem: str, facts: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self.facts = facts


class Step(Protocol):
    """A step; it is called in several threads at once."""

    @property
    def name(self) -> str:
        """Return the word that records and identities name it by, each step another."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Return everything that can change what it makes of a picture, JSON-serialisable.

        By convention ``spec`` is how the user types it, ``NAME:key=value``: tables show it.
        """
        ...

    def notes(self) -> Sequence[str]:
        """Return what the user should know of it, in sentences."""
        ...

    def apply(self, image: Image, key: str, landmarks: Landmarks | None = None) -> Prepared:
        """Return what becomes of a picture; the same picture and key always give the same.

        Args:
            image: 8-bit RGB, upright, and its own: it may be written to.
            key: the id of the sample, to draw random numbers by.
            landmarks: where the face's lie in *image*, if an earlier step knows them.

        Raises:
            SampleError: nothing can be made of it; the sample gets a record that says so. An `Unprepared` has facts.
        """
        ...


@dataclass(frozen=True)
class PreparedSource:
    """An image that *steps* change, in their order, after it was decoded; *landmarks* are its face's, where known."""

    original: ImageSource
    key: str
    steps: tuple[Step, ...]
    landmarks: Landmarks | None = None

    @property
    def name(self) -> str:
        return self.original.name

    def read(self) -> bytes:
        """Return the bytes of the file, to which nothing is done."""
        return self.original.read()

    def size(self) -> int:
        return self.original.size()


class PreparedDataset(Dataset):
    """A data set to whose images something is done; all else is as in the *original*."""

    def __init__(self, original: Dataset, steps: Sequence[Step]) -> None:
        self.card = original.card
        self._original, self._steps = original, tuple(steps)

    def samples(self, split: str) -> Sequence[Sample]:
        return [self._prepared(sample) for sample in self._original.samples(split)]

    def listed(self) -> Iterable[Sample]:
        return map(self._prepared, self._original.listed())

    def notes(self) -> Sequence[str]:
        return [*self._original.notes(), *(note for step in self._steps for note in step.notes())]

    def identity(self) -> Mapping[str, Any]:
        return self._original.identity()

    def action_units(self, label: str) -> Sequence[int]:
        return self._original.action_units(label)

    def verify(self) -> list[Check]:
        return self._original.verify()

    def fingerprint(self, split: str) -> str:
        return self._original.fingerprint(split)

    def _prepared(self, sample: Sample) -> Sample:
        return replace(sample, image=PreparedSource(sample.image, sample.id, self._steps, sample.landmarks))


def prepare(dataset: Dataset, steps: Sequence[Step]) -> Dataset:
    """Return a data set whose images these steps change, in this order; itself where there are none."""
    return PreparedDataset(dataset, steps) if steps else dataset


def prepare_source(source: ImageSource, key: str, steps: Sequence[Step]) -> ImageSource:
    """Return an image that these steps change after those that it has; itself where there are none."""
    if isinstance(source, PreparedSource):
        return replace(source, steps=(*source.steps, *steps))
    return PreparedSource(source, key, tuple(steps)) if steps else source


def describe_steps(steps: Sequence[Step]) -> tuple[Mapping[str, Any], ...] | None:
    """Return the steps for the identity of a run or a training; None where there are none."""
    return tuple({"step": step.name, **step.identity()} for step in steps) or None


def original(source: ImageSource) -> ImageSource:
    """Return the source of the picture before anything is done to it."""
    return source.original if isinstance(source, PreparedSource) else source
