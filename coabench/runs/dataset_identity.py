"""Which samples a run is about, as its identity has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

from coabench.base.schema import Count, at_least
from coabench.dataset import Dataset, Sample, votes_digest
from coabench.registry.catalog import DatasetChoice
from coabench.runs.identity_part import LEFT_OUT, Part, left_out


@dataclass(frozen=True, kw_only=True)
class FoldIdentity(Part):
    """A fold of a split; see `coabench.runs.folds`.

    Attributes:
        number, of: which one, from 1 on, of how many.
        scheme: ``stratified``, or ``subjects`` for one fold for each person.
        seed: None where the persons are the folds.
        assignment: SHA-256 over the fold of every sample of the split.
    """

    number: Annotated[int, at_least(1)]
    of: Annotated[int, at_least(2)]
    scheme: str
    seed: int | None = None
    assignment: str

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def options(self) -> str:
        """How the command line asks for it."""
        if self.scheme == "subjects":
            return f"--fold {self.number}/subjects"
        return f"--fold {self}" + (f" --fold-seed {self.seed}" if self.seed else "")


@dataclass(frozen=True, kw_only=True)
class DatasetIdentity(Part):
    """The samples of a run; `more` holds `Dataset.identity`.

    Attributes:
        labels: the digest of the label space.
        sampling: how the samples within the limit were drawn; absent where all were taken, and in 0.1.0, which took
            the first.
        votes: the digest of their votes, see `coabench.dataset.votes_digest`; absent where they have none, and in
            0.1.0, which recorded none.
        fold: the fold of the split that they are; absent where they are all of it.
    """

    name: str
    split: str
    fingerprint: str
    labels: str | None = None
    samples: Count
    limit: Annotated[int, at_least(1)] | None = None
    sampling: str | None = left_out()
    votes: str | None = left_out()
    fold: FoldIdentity | None = field(default=None, metadata=LEFT_OUT)
    plugin: str | None = left_out()
    plugin_version: str | None = left_out()

    @classmethod
    def of(
        cls,
        choice: DatasetChoice,
        dataset: Dataset,
        split: str,
        fingerprint: str,
        samples: Sequence[Sample],
        limit: int | None = None,
        sampling: str | None = None,
        fold: FoldIdentity | None = None,
    ) -> Self:
        """Describe the samples of a split; its *fingerprint* is passed since it is expensive and known already."""
        return cls(
            name=choice.card.name,
            split=split,
            fingerprint=fingerprint,
            labels=choice.card.space.digest,
            samples=len(samples),
            limit=limit,
            sampling=sampling,
            votes=votes_digest(samples),
            fold=fold,
            plugin=choice.loader.plugin,
            plugin_version=choice.loader.version,
            more=dataset.identity(),
        )
