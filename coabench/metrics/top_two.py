"""Top-2 accuracy: how often the label is the first or the second choice of a run that ranks them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from coabench.base.vocabulary import OK
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import share_mean_interval


class TopTwo:
    """The figure in the making: a byte is kept of each record."""

    def __init__(self) -> None:
        self._hits = array("b")
        self._ranked = 0

    def add(self, record: Mapping[str, Any], second: str | None) -> None:
        """Read a record.

        Args:
            second: its `coabench.metrics.label_scores.second_choice`.
        """
        choices = {record["prediction"], second} if record["status"] == OK else set()
        self._hits.append(record["target"] in choices)
        self._ranked += second is not None

    def figure(self, predicted: Predicted) -> dict[str, Any] | None:
        """Return ``n``, ``ranked``, ``value``, ``interval``; None where no record has a second choice.

        Over all samples: one without a label is wrong, one without a second choice right with the first alone.

        Args:
            predicted: what all records that were read predicted.
        """
        if not self._ranked:
            return None
        hits = np.array(self._hits, dtype=np.float64)
        interval = share_mean_interval(hits, predicted.clusters)
        return {"n": len(hits), "ranked": self._ranked, "value": float(hits.mean()), "interval": list(interval)}
