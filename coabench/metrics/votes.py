"""Figures against the votes of annotators, for runs on data sets that have them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coabench.metrics.agreement import (
    cross_entropies,
    entropies,
    jensen_shannon,
    krippendorff,
    others_agreeing,
    several,
    shares_agreeing,
    vote_shares,
)
from coabench.metrics.distributions import mean_value_interval
from coabench.metrics.figures import unknown_label
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts, Figures, share_mean_interval, student_interval


class Votes:
    """Votes in the making: numbers alone are kept of each record that has some, never the record."""

    def __init__(self, names: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._count = 0
        self._positions, self._scored = array("q"), array("q")
        self._votes, self._log_p = array("d"), array("d")

    def add(self, record: Mapping[str, Any], log_p: Sequence[float] | None) -> None:
        """Read a record.

        Args:
            log_p: the `coabench.metrics.label_scores.log_probabilities` of it.

        Raises:
            UserError: its votes are for what is no label.
        """
        position, self._count = self._count, self._count + 1
        votes = record.get("votes") or {}
        if not any(votes.values()):
            return
        row = [0.0] * len(self._places)
        for label, number in votes.items():
            if label not in self._places:
                raise unknown_label(label, list(self._places))
            row[self._places[label]] = float(number)
        if log_p is not None:
            self._scored.append(len(self._positions))
            self._log_p.extend(log_p)
        self._positions.append(position)
        self._votes.extend(row)

    def figures(self, predicted: Predicted) -> dict[str, Any] | None:
        """Return the figures, ready for ``metrics.json``; None where no record has votes.

        Args:
            predicted: what all records that were read predicted.
        """
        if not self._positions:
            return None
        members = predicted.part(np.array(self._positions))
        votes = np.array(self._votes).reshape(-1, len(self._places))
        shares, clusters = vote_shares(votes), members.clusters
        compared = np.flatnonzero(several(votes))
        scored = np.array(self._scored, dtype=np.int64)
        log_p = np.array(self._log_p).reshape(-1, len(self._places))
        return {
            "samples": len(members),
            "annotations": float(votes.sum()),
            "accuracy": _share((members.predictions == members.targets).astype(np.float64), clusters),
            "expected_accuracy": _share(shares_agreeing(shares, members.predictions), clusters),
            "ceiling": _share(shares.max(axis=1), clusters),
            **_of_annotators(votes[compared], members.part(compared).clusters),
            **_of_scores(shares[scored], log_p, members.part(scored).clusters),
        }


def _of_annotators(votes: Figures, clusters: Counts | None) -> dict[str, Any]:
    """Return how far annotators agree, over the samples that have several."""
    if not len(votes):
        return {"annotator": None, "alpha": None}
    value, without = krippendorff(votes, clusters)
    interval = student_interval(value, without) if np.isfinite(without).all() else None
    alpha = _estimate(
        len(votes),
        value if np.isfinite(value) else None,
        interval and (max(-1.0, interval[0]), min(1.0, interval[1])),
    )
    return {"annotator": _share(others_agreeing(votes), clusters), "alpha": alpha}


def _of_scores(shares: Figures, log_p: Figures, clusters: Counts | None) -> dict[str, Any]:
    """Return how far probabilities are from the votes, over the samples that have those of all labels."""
    if not len(shares):
        return {"cross_entropy": None, "entropy": None, "jensen_shannon": None}
    return {
        "cross_entropy": _nats(cross_entropies(shares, log_p), clusters),
        "entropy": _nats(entropies(shares), clusters),
        "jensen_shannon": _share(jensen_shannon(shares, log_p), clusters),
    }


def _share(values: Figures, clusters: Counts | None) -> dict[str, Any]:
    return _estimate(len(values), float(values.mean()), share_mean_interval(values, clusters))


def _nats(values: Figures, clusters: Counts | None) -> dict[str, Any]:
    if not np.isfinite(values).all():
        return _estimate(len(values), None, None)
    return _estimate(len(values), float(values.mean()), mean_value_interval(values, clusters))


def _estimate(n: int, value: float | None, interval: tuple[float, float] | None) -> dict[str, Any]:
    return {"n": n, "value": value, "interval": interval and list(interval)}
