"""The images that a greedy soup is selected by: none of them is fitted by any of the adapters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from coabench.base.text import plural
from coabench.base.vocabulary import TRAIN
from coabench.cropping.step import find_crop
from coabench.dataset import Dataset, Sample
from coabench.errors import UserError
from coabench.evaluation.plan import samples_of
from coabench.inference.contents import contents
from coabench.inference.preparation import describe_steps, prepare
from coabench.registry.catalog import DatasetChoice, find_dataset
from coabench.runs.adapter import TrainingRecord
from coabench.runs.folds import STRATIFIED
from coabench.runs.identity import differences
from coabench.runs.learnt import LearntImages
from coabench.runs.training_identity import TrainingData, TrainingIdentity
from coabench.training.data import Source, open_source

TEST = "test"
"""The split that nothing is selected by."""
REMEDY = "train them with the same --seed and --dev, or pass --dataset NAME --split SPLIT that none has learnt from"


@dataclass(frozen=True)
class Selection:
    """What the soup is selected by: the development parts of the *sources*.

    Attributes:
        split: that they are of.
        notes: what the user should know, in sentences.
    """

    sources: Sequence[Source]
    split: str
    notes: Sequence[str] = ()

    @property
    def samples(self) -> list[Sample]:
        return [sample for source in self.sources for sample in source.dev]

    def images(self) -> LearntImages:
        """Return what its images hold: the soup is not to be evaluated on them."""
        return LearntImages.of(contents(self.samples))

    def data(self) -> list[dict[str, Any]]:
        """Return what of another split than the train splits is part of the identity of the soup."""
        return [
            TrainingData(
                dataset=source.dataset.card.name,
                split=self.split,
                fingerprint=source.dataset.fingerprint(self.split),
                fit=0,
                dev=len(source.dev),
                more=source.dataset.identity(),
            ).to_json()
            for source in self.sources
            if self.split != TRAIN
        ]

    def to_json(self) -> list[dict[str, Any]]:
        split = "train, development part" if self.split == TRAIN else self.split
        return [
            {"dataset": source.dataset.card.name, "split": split, "samples": len(source.dev)} for source in self.sources
        ]


def another_split(records: Sequence[TrainingRecord], spec: str, split: str, root: Path | None) -> Selection:
    """Return a whole split that none of the trainings has learnt from.

    Args:
        records: the trainings of the adapters and, where it has one, of their base.

    Raises:
        UserError: one has, or it is the test split, or has no image of some label.
    """
    if split.casefold() == TEST:
        raise UserError(
            "a soup is not selected by a test split: its numbers there would say nothing",
            expected="a split to select by",
            remedy="leave out --dataset and --split for the development parts of the trainings",
        )
    dataset = _open(find_dataset(spec), root, identities_of(records)[0])
    card, samples = dataset.card, samples_of(dataset, split)
    images = cache(lambda: contents(samples))
    fingerprint = dataset.fingerprint(split)
    notes = [
        note for record in records for note in record.check_unseen(card.name, split, fingerprint, images, allowed=False)
    ]
    _check_labels(card.name, samples, set(card.space.names), "choose another --split")
    fit = dataset.samples(TRAIN) if TRAIN in card.splits else samples
    return Selection([Source(dataset, fit, samples)], split, notes)


def development_parts(records: Sequence[TrainingRecord], spec: str | None, root: Path | None) -> Selection:
    """Return what the development parts of the trainings have in common, without what any of them was fitted on.

    Args:
        records: as in `another_split`.
        spec: the data set whose development parts they are; None for all that they learnt from.

    Raises:
        UserError: they have nothing in common, or no image of some label; the data are not those of the trainings.
    """
    identities = identities_of(records)
    for record, identity in zip(records, identities, strict=True):
        if "soup" in identity.more:
            raise UserError(f"{record.folder} is a soup, of several development parts", remedy=REMEDY)
    trainings = list(chain.from_iterable(map(_trainings, identities)))
    names = list(dict.fromkeys(part.dataset for identity in identities for part in identity.data))
    choices = [find_dataset(spec)] if spec is not None else [find_dataset(name) for name in names]
    sources = [_in_common(_open(choice, root, identities[0]), trainings) for choice in choices]
    selection = Selection(sources, TRAIN)
    fitted = _fitted(records, selection.samples)
    sources = [replace(each, dev=[sample for sample in each.dev if sample.id not in fitted]) for each in sources]
    for source in sources:
        labels = {sample.target for sample in source.dataset.samples(TRAIN)}
        _check_labels(source.dataset.card.name, source.dev, labels, REMEDY)
    unknown = [
        f"the training in {record.folder} kept no record of its images: copies of what it was fitted on are not known"
        for record in records
        if None in (record.learnt, *record.earlier)
    ]
    return Selection(sources, TRAIN, unknown)


def identities_of(records: Sequence[TrainingRecord]) -> list[TrainingIdentity]:
    """Return the identities of the trainings; `UserError` where one is not known."""
    for record in records:
        if record.identity is None:
            raise UserError(
                f"nothing says what the adapter in {record.folder} has learnt from",
                expected="adapters that coabench has trained",
                remedy="leave it out, or make a soup without --greedy",
            )
    return [record.identity for record in records if record.identity]


def _open(choice: DatasetChoice, root: Path | None, identity: TrainingIdentity) -> Dataset:
    """Return the data set, its images prepared as those of the training."""
    then = [dict(step) for step in identity.preparation or ()]
    steps = [find_crop(str(step.get("spec"))).open() for step in then]
    now = [dict(step) for step in describe_steps(steps) or ()]
    if changed := [line for pair in zip(then, now, strict=True) for line in differences(*pair)]:
        raise UserError(
            "the images cannot be prepared as those of the trainings",
            found="; ".join(changed),
            remedy="install what they were trained with",
        )
    return prepare(choice.open(root), steps)


Trained = tuple[int | None, float | None, TrainingData]
"""Seed and fraction of the development part of a training, and one of the data sets that it learnt from."""


def _trainings(identity: TrainingIdentity) -> Iterator[Trained]:
    """Yield what this training and those before it learnt from."""
    yield from ((identity.seed, identity.recipe.get("dev"), part) for part in identity.data)
    start = identity.start
    while start is not None:
        yield from ((start.seed, start.dev, part) for part in start.data)
        start = start.start


def _in_common(dataset: Dataset, trainings: Sequence[Trained]) -> Source:
    """Return what the development parts of all trainings on this data set have in common."""
    name, fingerprint = dataset.card.name, dataset.fingerprint(TRAIN)
    known = [each for each in trainings if each[2].split == TRAIN]
    own = [each for each in known if name == each[2].dataset or fingerprint == each[2].fingerprint]
    if not own:
        raise UserError(f"none of the adapters was trained on {name!r}", remedy=f"correct --dataset; {REMEDY}")
    sources = []
    for seed, dev, part in own:
        if part.fingerprint != fingerprint:
            raise UserError(
                f"the train split of {name!r} is not the one that the adapters were trained on",
                expected=f"fingerprint {part.fingerprint[:12]}",
                found=fingerprint[:12],
                remedy="correct --data-root or --dataset",
            )
        fold = part.fold
        text = f"{fold.number}/{fold.of if fold.scheme == STRATIFIED else fold.scheme}" if fold else None
        sources.append(open_source(dataset, dev or 0.0, seed or 0, text, fold.seed if fold else None))
    shared = set.intersection(*({sample.id for sample in source.dev} for source in sources))
    return replace(sources[0], dev=[sample for sample in sources[0].dev if sample.id in shared])


def _fitted(records: Sequence[TrainingRecord], samples: Sequence[Sample]) -> set[str]:
    """Return the ids of samples whose images stand under another name among what a training was fitted on."""
    images = contents(samples)
    found: set[str] = set()
    for learnt in (each for record in records for each in (record.learnt, *record.earlier) if each is not None):
        others = {id: value for id, value in learnt.hashes.items() if id not in images}
        found |= replace(learnt, hashes=others).among(images).keys()
    return found


def _check_labels(name: str, samples: Sequence[Sample], labels: set[str], remedy: str) -> None:
    if lacking := sorted(labels - {sample.target for sample in samples}):
        raise UserError(
            f"the images of {name!r} that none of the adapters was fitted on are too few to select by",
            expected="images of every label",
            found=plural(len(samples), "image") + (f", none of {', '.join(lacking)}" if samples else ""),
            remedy=remedy,
        )
