"""The samples that predictions are about: those of a run, or those of a data set on this machine."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from coabench.base.texts import TextIndex, Texts
from coabench.dataset import ImageSource
from coabench.errors import UserError
from coabench.evaluation.plan import samples_of
from coabench.labels import LabelSpace
from coabench.registry.catalog import find_dataset
from coabench.registry.options import distribute
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.finished import read_run
from coabench.runs.stored import changed

COPIED = ("id", "image", "image_sha256", "target", "attributes", "votes")
"""The fields of a record that describe its sample; the last is not in every record."""


@dataclass(frozen=True)
class KnownSamples:
    """The samples, in order, and their description in a manifest.

    Attributes:
        source: where they come from, for people.
        dataset: how a run's identity describes them.
        labels: the ``labels`` of a manifest.
        samples: the `COPIED` fields of each record.
        notes: what the user must know about them.
    """

    source: str
    dataset: DatasetIdentity
    labels: Mapping[str, Any]
    space: LabelSpace
    samples: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()

    def find(self, identifier: str) -> Sequence[int]:
        """Return the positions of the samples that an id may mean; several where it is ambiguous.

        A full id means its sample. Otherwise it may be the last part of one, or an image's file name, with or without
        folder and extension. Blanks around it do not count, as in tables.
        """
        if found := self._by_id.find(identifier):
            return found
        names, of = self._by_name
        return sorted({of[name] for name in names.find(identifier)})

    @cached_property
    def _by_id(self) -> TextIndex:
        return TextIndex(Texts(str(sample["id"]).strip() for sample in self.samples))

    @cached_property
    def _by_name(self) -> tuple[TextIndex, Sequence[int]]:
        """Return names, and of which sample each is."""
        names, of = Texts(), array("q")
        for position, sample in enumerate(self.samples):
            image = PurePosixPath(str(sample["image"] or "").replace("\\", "/"))
            for name in {str(sample["id"]).rpartition("/")[2], str(image), image.name, image.stem}:
                names.append(name.strip())
                of.append(position)
        return TextIndex(names), of


def samples_of_run(directory: Path, labels: str | None) -> KnownSamples:
    """Return the samples of a complete run; *labels* as `RecordedRun.space` takes them.

    Raises:
        UserError: no such run, an unfinished or damaged one, or other labels.
    """
    run = read_run(directory)
    return KnownSamples(
        source=f"the run {directory}",
        dataset=run.identity.dataset,
        labels=run.manifest["labels"],
        space=run.space(labels, exact=False),
        samples=changed(run.records, lambda record: {key: record.get(key) for key in COPIED}),
        notes=[f"the samples are those of the run {directory.resolve().name}: what its notes say of them holds here"],
    )


def samples_of_dataset(
    spec: str, root: Path | None, split: str | None, options: Mapping[str, str], labels: LabelSpace | None
) -> KnownSamples:
    """Return the samples of a split of a data set; the card's first split by default.

    Raises:
        UserError: no such data set or split, files that are not there, or other *labels* than its own.
    """
    choice = find_dataset(spec)
    space = choice.card.space
    if labels is not None and labels.digest != space.digest:
        raise UserError(
            f"--labels are not those of the data set {choice.card.name!r}",
            expected=space.name,
            found=labels.name,
            remedy="leave --labels out: the data set has its own",
        )
    dataset = choice.open(root, distribute(options, {"dataset": choice.loader.load().Options})["dataset"])
    split = split or choice.card.splits[0]
    samples = samples_of(dataset, split)
    return KnownSamples(
        source=f"split {split!r} of {choice.card.name}",
        dataset=DatasetIdentity.of(choice, dataset, split, dataset.fingerprint(split), samples),
        labels=space.describe(),
        space=space,
        samples=[
            {
                "id": sample.id,
                "image": sample.image.name,
                "image_sha256": _sha256(sample.image),
                "target": sample.target,
                "attributes": dict(sample.attributes),
                "votes": dict(sample.votes),
            }
            for sample in samples
        ],
        notes=list(dataset.notes()),
    )


def _sha256(image: ImageSource) -> str | None:
    try:
        return hashlib.sha256(image.read()).hexdigest()
    except OSError:
        return None  # as in a record of a run that could not read it
