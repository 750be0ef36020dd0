"""What a run predicted, as arrays: all that its figures and its comparison with other runs need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from coabench.errors import UserError
from coabench.metrics import confusion_matrix, encode, shares
from coabench.statistics import SEED, Counts, Figures, bootstrap

SUBJECT = "subject"
"""The attribute that says which person an image shows."""


@dataclass(frozen=True)
class Predicted:
    """Targets and predictions of n samples.

    Attributes:
        names: the k labels.
        targets: true classes, shape (n,), within 0…k−1.
        predictions: predicted classes, shape (n,), within 0…k; k: without a label.
        clusters: the person in each image, shape (n,), from 0 on; None where no person is shown twice.
    """

    names: tuple[str, ...]
    targets: Counts
    predictions: Counts
    clusters: Counts | None = None

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], names: Sequence[str]) -> Self:
        """Read records off a log, in one pass.

        Raises:
            UserError: there are none, or one has no target or a label that is not among *names*.
        """
        targets: list[str] = []
        predictions: list[str | None] = []
        people: list[Any] = []
        for record in records:
            if record["target"] is None:
                raise UserError(
                    f"the record {record.get('id')!r} has no target", expected="a true label for each sample"
                )
            targets.append(record["target"])
            predictions.append(record["prediction"] if record["status"] == "ok" else None)
            people.append((record.get("attributes") or {}).get(SUBJECT))
        if not targets:
            raise UserError("there are no records to compute metrics from", expected="at least one record in the log")
        return cls(tuple(names), encode(targets, names), encode(predictions, names), subjects(people))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def k(self) -> int:
        """The number of labels."""
        return len(self.names)

    @property
    def confusion(self) -> Counts:
        """The confusion matrix, shape (k, k + 1)."""
        return confusion_matrix(self.targets, self.predictions, self.k)

    @property
    def shares(self) -> Figures:
        """What each sample (or subject) adds to the UAR; see `coabench.metrics.shares`."""
        return shares(self.targets, self.predictions, self.k, self.clusters)

    def resampled(self, seed: int = SEED) -> Counts:
        """Return bootstrap replicates of the confusion matrix, shape (replicates, k, k + 1)."""
        return bootstrap(confusion_matrix(self.targets, self.predictions, self.k, self.clusters), seed=seed)


def subjects(names: Sequence[Any]) -> npt.NDArray[np.int64] | None:
    """Number the subjects of samples, in order of appearance; a sample without one is a subject of its own.

    Returns:
        Whole numbers from 0 on, shape (n,); None where no subject has two samples, for then samples are independent.
    """
    index: dict[Any, int] = {}
    numbers = [
        index.setdefault(("sample", i) if name is None else str(name), len(index)) for i, name in enumerate(names)
    ]
    return None if len(index) == len(names) else np.array(numbers, dtype=np.int64)
