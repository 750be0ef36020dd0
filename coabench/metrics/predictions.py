"""What a run predicted, as arrays: all that its figures and its comparison with other runs need."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from coabench.base.vocabulary import OK, SUBJECT
from coabench.errors import UserError
from coabench.metrics.figures import confusion_matrix, shares, unknown_label
from coabench.metrics.statistics import Counts, Figures, bootstrap

Made = TypeVar("Made", bound="Predicted")


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
        reading = Reading(names)
        for record in records:
            reading.add(record)
        return reading.predicted(cls)

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, positions: npt.NDArray[np.int64]) -> Self:
        """Return the samples at these *positions* alone, their subjects numbered anew in order of appearance."""
        clusters = None
        if self.clusters is not None:
            _, first, place = np.unique(self.clusters[positions], return_index=True, return_inverse=True)
            clusters = np.argsort(np.argsort(first))[place] if len(first) < len(positions) else None
        return type(self)(self.names, self.targets[positions], self.predictions[positions], clusters)

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
        """What each sample (or subject) adds to the UAR; see `coabench.metrics.figures.shares`."""
        return shares(self.targets, self.predictions, self.k, self.clusters)

    @property
    def sizes(self) -> Counts:
        """Samples per class, shape (k,)."""
        return np.bincount(self.targets, minlength=self.k).astype(np.int64)

    @property
    def by_subject(self) -> Counts:
        """The confusion matrix of each subject, shape (subjects, k, k + 1)."""
        return confusion_matrix(self.targets, self.predictions, self.k, self.clusters)

    @property
    def subjects(self) -> int | None:
        """How many persons are shown; None where samples are independent."""
        return None if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def units(self) -> Counts:
        """What a test takes for one: the number of the sample's subject, or of the sample itself, shape (n,)."""
        return np.arange(len(self)) if self.clusters is None else self.clusters

    @property
    def hits(self) -> Figures:
        """What each sample (or subject) adds to the WAR."""
        return self._by_unit((self.predictions == self.targets) / len(self))

    def hits_of(self, c: int) -> Figures:
        """Return what each sample (or subject) adds to the recall of class *c*, which has samples."""
        of_class = self.targets == c
        return self._by_unit((of_class & (self.predictions == c)) / of_class.sum())

    def _by_unit(self, worth: Figures) -> Figures:
        return worth if self.clusters is None else np.bincount(self.clusters, weights=worth).astype(np.float64)

    @cached_property
    def drawn(self) -> Counts:
        """Bootstrap replicates of the confusion matrix, class by class, shape (replicates, k, k + 1)."""
        return bootstrap(self.confusion)


class Reading:
    """`Predicted` in the making: a few bytes are kept of each record, never the record."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._classes: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        self._targets, self._predictions = array("i"), array("i")
        self._subjects = Subjects()

    def __len__(self) -> int:
        return len(self._targets)

    def add(self, record: Mapping[str, Any]) -> None:
        """Read a record.

        Raises:
            UserError: it has no target, or a label that is not among the names.
        """
        target = record["target"]
        if target is None:
            raise UserError(f"the record {record.get('id')!r} has no target", expected="a true label for each sample")
        label = record["prediction"] if record["status"] == OK else None
        try:
            known = self._classes[target], len(self._names) if label is None else self._classes[label]
        except KeyError as error:
            raise unknown_label(error.args[0], self._names) from None
        self._targets.append(known[0])
        self._predictions.append(known[1])
        self._subjects.add((record.get("attributes") or {}).get(SUBJECT))

    def check(self) -> None:
        """Refuse to go on where nothing was read, with `UserError`."""
        if not self._targets:
            raise UserError("there are no records to compute metrics from", expected="at least one record in the log")

    def predicted(self, made: type[Made]) -> Made:
        """Return what was read; `UserError` where that is nothing."""
        self.check()
        targets, predictions = (np.array(codes, dtype=np.int64) for codes in (self._targets, self._predictions))
        return made(self._names, targets, predictions, self._subjects.numbers())


class Subjects:
    """Numbers the subjects of samples, in order of appearance; a sample without one is a subject of its own."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._numbers = array("q")
        self._count = 0

    def add(self, name: Any) -> None:
        """Number the subject of the next sample, None for one that has none."""
        number = self._count if name is None else self._known.setdefault(str(name), self._count)
        self._count += number == self._count
        self._numbers.append(number)

    def numbers(self) -> npt.NDArray[np.int64] | None:
        """Return whole numbers from 0 on, shape (n,).

        None where no subject has two samples, for then samples are independent.
        """
        return None if self._count == len(self._numbers) else np.array(self._numbers, dtype=np.int64)
