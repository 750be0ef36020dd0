"""Samples of a stress as the model saw them: each at every severity, with what it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coabench.cropping.step import NAME as CROP
from coabench.dataset import Sample
from coabench.errors import SampleError
from coabench.inference.loading import read_image
from coabench.metrics.predictions import Predicted
from coabench.registry.catalog import DatasetChoice
from coabench.registry.transforms import open_transforms
from coabench.reports.thumbnails import open_dataset
from coabench.robustness.conditions import Condition
from coabench.robustness.summary import StressSummary
from coabench.support.thumbnails import thumbnail

SAMPLES = 3
"""How many samples a page shows."""


@dataclass(frozen=True)
class Shown:
    """A picture under a condition; *image* is a data URI, None where it cannot be shown."""

    title: str
    image: str | None
    answer: str
    right: bool


@dataclass(frozen=True)
class Strip:
    """A sample: its pictures by family, the clean one first in each."""

    id: str
    target: str
    families: Mapping[str, Sequence[Shown]]


def strips(it: StressSummary, choice: DatasetChoice, root: Path | None) -> tuple[list[Strip], str | None]:
    """Return some samples at each severity, and why there are none where there are none.

    Those are shown that the clean run gets right and that break under about half of the conditions which change images.
    A picture is shown only if it is still the one that the run saw.

    Raises:
        UserError: the data set is not there.
    """
    identity = it.clean.identity
    if any(step.get("step") == CROP for step in identity.preparation or ()):
        return [], "The faces were cut out with --crop: pictures under the conditions are not shown."
    families: dict[str, list[tuple[Condition, int]]] = {}
    for number, (condition, _) in enumerate(it.effects):
        if condition.transform and not condition.rewrite:
            families.setdefault(condition.family, []).append((condition, number))
    if not families:
        return [], "No condition of this stress changes the images."
    known = {sample.id: sample for sample in open_dataset(choice, root, identity).samples(identity.dataset.split)}
    shown: list[Strip] = []
    for position in _typical(it, [number for own in families.values() for _, number in own]):
        sample = known.get(str(it.clean.records[position]["id"]))
        if sample is not None and (strip := _strip(it, sample, position, families)) is not None:
            shown.append(strip)
        if len(shown) == SAMPLES:
            break
    return shown, None if shown else "No image here is one that the clean run saw and got right."


def _strip(
    it: StressSummary, sample: Sample, position: int, families: Mapping[str, Sequence[tuple[Condition, int]]]
) -> Strip | None:
    """Return the pictures of a sample; None where its image cannot be read, or is not the one that the run saw."""
    try:
        picture = read_image(sample.image)
    except SampleError:
        return None
    if picture.sha256 != it.clean.records[position].get("image_sha256"):
        return None

    def under(title: str, predicted: Predicted, transform: Sequence[str] = ()) -> Shown:
        code = int(predicted.predictions[position])
        answer, right = (*predicted.names, "no label")[code], code == predicted.targets[position]
        try:
            prepared = [
                step.apply(picture.image.copy(), sample.id, sample.landmarks).image
                for step in open_transforms(transform, it.clean.identity.seed or 0)
            ]
        except SampleError:
            return Shown(title, None, answer, right)
        return Shown(title, thumbnail(prepared[0] if prepared else picture.image), answer, right)

    clean = under("clean", it.predicted)
    rows = {
        family: [clean, *(under(str(c.severity or c.name), it.answers[i], c.transform) for c, i in own)]
        for family, own in families.items()
    }
    return Strip(sample.id, it.predicted.names[int(it.predicted.targets[position])], rows)


def _typical(it: StressSummary, numbers: Sequence[int]) -> list[int]:
    """Return the samples that the clean run gets right, those first that break under about half of the conditions."""
    targets = it.predicted.targets
    right = np.stack([it.answers[number].predictions == targets for number in numbers])
    clean = np.flatnonzero(it.predicted.predictions == targets)
    order = np.argsort(np.abs(right.mean(axis=0)[clean] - 0.5), kind="stable")
    return [int(position) for position in clean[order]]
