"""Exemplars: example images from the train split, shown with their true label before a query image."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coabench.base.names import to_hash
from coabench.base.text import plural
from coabench.base.vocabulary import TRAIN
from coabench.dataset import Dataset, Sample
from coabench.dialogue import Exemplar
from coabench.errors import SampleError, UserError
from coabench.inference.loading import read_image
from coabench.strategy import Strategy

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Shown:
    """An exemplar that was read: its sample, its image, and the SHA-256 of the image's bytes."""

    sample: Sample
    image: Image
    sha256: str


@dataclass(frozen=True)
class ExemplarPool:
    """The exemplars of a run, one per label, and how many of them each query image gets."""

    shown: tuple[Shown, ...]
    each: int
    seed: int

    def exemplars(self, sample_id: str) -> tuple[Exemplar, ...]:
        """Return the exemplars of a sample, as a strategy knows them."""
        return tuple(Exemplar(e.sample.id, e.sample.target) for e in self._of(sample_id))

    def images(self, sample_id: str) -> list[Image]:
        """Return the images of the exemplars of a sample, in the same order; copies: a backbone may scale in place."""
        return [e.image.copy() for e in self._of(sample_id)]

    def identity(self) -> list[dict[str, str]]:
        """Return id, label and image hash of every exemplar, for the run's identity."""
        return [{"id": e.sample.id, "label": e.sample.target, "sha256": e.sha256} for e in self.shown]

    def _of(self, sample_id: str) -> Sequence[Shown]:
        """Choose by seed and id, so that nothing else in the run changes the choice."""
        return random.Random(to_hash(f"{self.seed}:{sample_id}")).sample(self.shown, self.each)


def draw_pool(
    dataset: Dataset, split: str, strategy: Strategy, seed: int, held_out: Collection[Sample] = ()
) -> ExemplarPool:
    """Choose one *train* sample per label by seed: every class is an exemplar equally often.

    Args:
        held_out: a fold of the split, whose samples are no exemplars; without it, *split* is not the train split.

    Raises:
        UserError: the train split itself is evaluated, or has too few readable images.
    """
    if not strategy.exemplars:
        return ExemplarPool((), 0, seed)
    if split == TRAIN and not held_out:
        raise UserError(
            f"strategy {strategy.name!r} draws its exemplars from the train split, so it cannot be scored on it",
            remedy="choose another --split or --strategy",
        )
    by_label: dict[str, list[Sample]] = {}
    out = {sample.id for sample in held_out}
    for sample in (sample for sample in dataset.samples(TRAIN) if sample.id not in out):
        by_label.setdefault(sample.target, []).append(sample)
    order = random.Random(seed)
    names = [name for name in dataset.card.space.names if name in by_label]
    drawn = [_first_readable(order.sample(by_label[name], len(by_label[name]))) for name in names]
    shown = tuple(exemplar for exemplar in drawn if exemplar is not None)
    if len(shown) < strategy.exemplars:
        raise UserError(
            f"strategy {strategy.name!r} needs {strategy.exemplars} exemplars from the train split",
            found=f"{plural(len(shown), 'label')} with a readable image: one exemplar each",
            remedy="ask for fewer exemplars"
            if strategy.exemplars > len(dataset.card.space.names)
            else "check the data with `coabench datasets verify`",
        )
    return ExemplarPool(shown, strategy.exemplars, seed)


def _first_readable(samples: Sequence[Sample]) -> Shown | None:
    for sample in samples:
        try:
            picture = read_image(sample.image)
            return Shown(sample, picture.image, picture.sha256)
        except SampleError:
            continue
    return None
