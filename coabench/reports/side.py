"""One side of a comparison: a run, and what a comparison needs of its records, read off the log in one pass."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from coabench.base.texts import Texts
from coabench.metrics.attribute_columns import AttributeColumns
from coabench.metrics.groups import Groups
from coabench.metrics.predictions import Predicted
from coabench.runs.finished import RecordedRun, read_run
from coabench.runs.run import read_manifest


class Side:
    """A run as columns: some fifty bytes of each record, and its id.

    Attributes:
        run: the run; set once its records are read.
        ids: of the samples.
    """

    run: RecordedRun

    def __init__(self, names: tuple[str, ...]) -> None:
        self.ids = Texts()
        self._groups, self._images = Groups(names), array("q")

    @classmethod
    def of(cls, run: RecordedRun) -> Self:
        """Read the records of a run; `UserError` where one has a label that the run does not know."""
        side = cls(tuple(run.manifest["labels"]["names"]))
        for record in run.records:
            side.add(record)
        side.run = run
        return side

    def add(self, record: Mapping[str, Any]) -> None:
        """Read a record."""
        self._groups.add(record)
        self.ids.append(record["id"])
        image = record.get("image_sha256")
        self._images.append(hash(image) or 1 if image else 0)

    @cached_property
    def predicted(self) -> Predicted:
        """Targets and predictions."""
        return self._groups.reading.predicted(Predicted)

    @property
    def attributes(self) -> AttributeColumns:
        """What is known of the samples."""
        return self._groups.columns

    @property
    def images(self) -> npt.NDArray[np.int64]:
        """A number that is the same for the same image, 0 where none is known, shape (n,)."""
        return np.array(self._images)


def read_side(directory: Path) -> Side:
    """Read a complete run; its log once.

    Raises:
        UserError: see `coabench.runs.finished.read_run`, or a record has a label that the run does not know.
    """
    side = Side(tuple(read_manifest(directory)["labels"]["names"]))
    side.run = read_run(directory, side.add)
    return side
