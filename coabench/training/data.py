"""What there is to learn from: samples of train splits, a development part cut off, and the turns of each sample."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.base.names import to_hash
from coabench.base.reading import exists
from coabench.base.text import plural
from coabench.base.vocabulary import SUBJECT, TRAIN
from coabench.dataset import Dataset, Sample
from coabench.dialogue import Answer, Exemplar, Task, Turn
from coabench.errors import UserError
from coabench.inference.engine import rehearse, training_turns
from coabench.inference.loading import read_image
from coabench.inference.preparation import prepare_source
from coabench.labels import LabelSpace
from coabench.recipe import Recipe
from coabench.registry.catalog import DatasetChoice
from coabench.registry.transforms import Transforms
from coabench.runs.folds import Fold, open_fold
from coabench.runs.training_identity import TrainingData
from coabench.strategy import Strategy
from coabench.training.schedule import AS_IT_IS, Look

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Source:
    """The train split of a data set, cut in two.

    Attributes:
        fit: the samples that are trained on.
        dev: the samples kept for selection.
        fold: what is in neither; None where nothing is held out.
        weight: how often its samples come, relative to those of other data sets.
    """

    dataset: Dataset
    fit: Sequence[Sample]
    dev: Sequence[Sample]
    fold: Fold | None = None
    weight: float = 1.0

    @property
    def space(self) -> LabelSpace:
        return self.dataset.card.space

    def identity(self) -> TrainingData:
        """Return what distinguishes this part of the training data from another."""
        return TrainingData(
            dataset=self.dataset.card.name,
            split=TRAIN,
            fingerprint=self.dataset.fingerprint(TRAIN),
            fit=len(self.fit),
            dev=len(self.dev),
            fold=self.fold.identity if self.fold else None,
            weight=self.weight if self.weight != 1 else None,
            more=self.dataset.identity(),
        )

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know of it, in sentences."""
        return [*self.dataset.notes(), *(self.fold.notes if self.fold else ())]

    def items(self, strategy: Strategy, samples: Sequence[Sample], ambiguous: bool, seed: int) -> list[Item]:
        """Return samples as a strategy asks about them; exemplars come from the samples that are trained on."""
        drawn = (draw_exemplars(sample, self.fit, strategy.exemplars, seed) for sample in samples)
        pairs = zip(samples, drawn, strict=True)
        asked: Asked = {}
        name = self.dataset.card.name
        return [Item(sample, exemplars, self.space, strategy, ambiguous, asked, name) for sample, exemplars in pairs]


def split_weight(spec: str | DatasetChoice) -> tuple[str | DatasetChoice, float]:
    """Return ``NAME:2`` as the data set and its weight; 1 where none is typed.

    Raises:
        UserError: the weight is no number above 0.
    """
    name, colon, text = spec.rpartition(":") if isinstance(spec, str) else ("", "", "")
    if not colon or exists(Path(str(spec))) or not re.fullmatch(r"[-+.\de]+|nan|inf", text):
        return spec, 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < inf:
        raise UserError(
            f"--dataset {spec}: a weight of {text} makes no sense", expected="more than 0", remedy="correct --dataset"
        )
    return name, weight


def open_source(
    dataset: Dataset, dev: float, seed: int, fold: str | None = None, fold_seed: int | None = None
) -> Source:
    """Cut the train split of a data set in two, without the fold that is held out, if one is.

    Raises:
        UserError: it has no train split, or no such fold.
    """
    if TRAIN not in dataset.card.splits:
        raise UserError(
            f"data set {dataset.card.name!r} has no train split",
            expected="a data set with a train split; the test split is never trained on",
            found=", ".join(dataset.card.splits),
            remedy="choose another --dataset",
        )
    samples = dataset.samples(TRAIN)
    held = None if fold is None else open_fold(fold, samples, fold_seed, dataset.card.name)
    samples = held.others if held else samples
    kept = development_part(samples, dev, seed)
    if dev and not kept:
        raise UserError(
            f"a development part of {dev:g} of {dataset.card.name!r} holds no sample",
            found=f"{plural(len(samples), 'sample')} in the train split",
            remedy="raise --dev, or pass --dev 0 to select by nothing",
        )
    fit = [sample for sample in samples if sample.id not in kept]
    if not fit:
        raise UserError(f"the train split of {dataset.card.name!r} has no samples", remedy="choose another --dataset")
    return Source(dataset, fit, [sample for sample in samples if sample.id in kept], held)


def development_part(samples: Sequence[Sample], fraction: float, seed: int) -> frozenset[str]:
    """Return the ids of a fraction of the samples, about the same fraction of every label.

    Samples with the same ``subject`` attribute stay together. Who is chosen depends on the seed and their names alone.
    """
    persons: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        persons[str(sample.attributes.get(SUBJECT) or sample.id)].append(sample)
    by_label: dict[str, list[str]] = defaultdict(list)
    for person, own in persons.items():
        by_label[own[0].target].append(person)
    chosen: set[str] = set()
    for label in sorted(by_label):
        order = sorted(by_label[label], key=lambda person: hashlib.sha256(to_hash(f"{seed}:{person}")).digest())
        chosen.update(order[: round(fraction * len(order))])
    return frozenset(sample.id for person in chosen for sample in persons[person])


def draw_exemplars(sample: Sample, pool: Sequence[Sample], each: int, seed: int) -> list[Sample]:
    """Return the exemplars of a sample, drawn from the pool by seed and id; never the sample itself."""
    drawn = random.Random(to_hash(f"{seed}:{sample.id}")).sample(pool, min(each + 1, len(pool)))
    return [other for other in drawn if other.id != sample.id][:each]


Asked = dict[tuple[tuple[Exemplar, ...], str], list[Turn]]
"""Exemplars and target -> turns: all that a strategy knows of a sample, and the label that its answers follow from."""


@dataclass(frozen=True)
class Item:
    """A sample as one strategy asks about it, with its exemplars.

    Attributes:
        asked: the turns so far of the samples of its source: those that differ by nothing but their images share them.
        rewarded: whether its example is the dialogue about it, which is drawn, instead of its questions.
    """

    sample: Sample
    exemplars: Sequence[Sample]
    space: LabelSpace
    strategy: Strategy
    ambiguous: bool
    asked: Asked = field(default_factory=dict)
    dataset: str = ""
    rewarded: bool = False

    @property
    def task(self) -> Task:
        return Task(self.space, tuple(Exemplar(e.id, e.target) for e in self.exemplars))

    @cached_property
    def turns(self) -> list[Turn]:
        """The questions with their right answers; of a dialogue the first question, with the label to conclude."""
        task, target = self.task, self.sample.target
        key = (task.exemplars, target)
        if key not in self.asked:
            if self.rewarded:
                turns = [Turn(rehearse(self.strategy, task)[0], Answer(target))]
            else:
                turns = training_turns(self.strategy, task, target, ambiguous=self.ambiguous)
            self.asked[key] = turns
        return self.asked[key]

    def images(self, look: Look = AS_IT_IS, augmentation: Transforms | None = None) -> list[Image]:
        """Return the images, exemplars first, as they are shown at one time of a training."""
        from PIL import ImageOps

        steps = [augmentation.at(f"{look.epoch}.{look.copy}")] if augmentation else []
        sources = [prepare_source(each.image, each.id, steps) for each in (*self.exemplars, self.sample)]
        images = [read_image(source).image for source in sources]
        return [ImageOps.mirror(image) for image in images] if look.mirrored else images


def collect(strategies: Sequence[Strategy], sources: Sequence[Source], recipe: Recipe, seed: int) -> list[Item]:
    """Return every sample, under every strategy, that has a question to train on.

    Raises:
        UserError: a strategy has nothing to learn from a label, or too few samples for its exemplars.
    """
    items = []
    for strategy in strategies:
        own = [item for source in sources for item in _with_turns(strategy, source, recipe, seed)]
        if not own:
            raise UserError(
                f"strategy {strategy.name!r} has no question with one right answer on these data sets",
                expected="options that hold the labels, or the emotions that they mix",
                remedy="add a data set, pass --ambiguous, or use another strategy",
            )
        items += own
    return items


def _with_turns(strategy: Strategy, source: Source, recipe: Recipe, seed: int) -> list[Item]:
    """Return the items of a source that have turns; `UserError` where those of some labels have none."""
    if len(source.fit) <= strategy.exemplars:
        raise UserError(
            f"strategy {strategy.name!r} needs {strategy.exemplars} exemplars beside each sample",
            found=f"{plural(len(source.fit), 'sample')} of {source.dataset.card.name!r}",
            remedy="use a larger train split",
        )
    items = source.items(strategy, source.fit, recipe.ambiguous, seed)
    items = [replace(item, rewarded=recipe.rewards) for item in items]
    answerless = Counter(item.sample.target for item in items if not item.turns)
    if answerless and set(answerless) != set(source.space.names):
        raise UserError(
            f"strategy {strategy.name!r} has no right answer for some labels of {source.dataset.card.name!r}",
            expected="questions whose options hold each label, or the emotions that it mixes",
            found=", ".join(f"{label} ({plural(n, 'sample')})" for label, n in sorted(answerless.items())),
            remedy="use another strategy, or override Strategy.right_answers",
        )
    return [item for item in items if item.turns]


def count_turns(items: Sequence[Item]) -> Counter[str]:
    """Return how many turns each question of each strategy has on each label space."""
    return Counter(kind_of(item, turn) for item in items for turn in item.turns)


def kind_of(item: Item, turn: Turn) -> str:
    """Return which question a turn has, of which strategy, on which label space."""
    return f"{item.strategy.name} / {turn.question.name} / {item.space.name}"
