"""The figures of confidence of a run: how well its probabilities fit what is right."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from coabench.base.vocabulary import OK, SUBJECT
from coabench.metrics.calibration import BINS, Calibration, calibrate, confidence_of
from coabench.metrics.distributions import Distribution, ProperScores, brier_score, distribution_of, proper_scores
from coabench.metrics.predictions import Subjects


@dataclass(frozen=True)
class ConfidenceFigures:
    """Calibration, and the proper scores where samples have a probability for each label."""

    calibration: Calibration
    scores: ProperScores | None

    def to_json(self) -> dict[str, Any]:
        """Return what ``metrics.json`` holds of them."""
        found = self.calibration
        return {
            "samples": found.n,
            "subjects": found.subjects,
            "confidence": found.confidence,
            "accuracy": found.accuracy,
            "bins": BINS,
            "ece": found.ece,
            "ece_interval": found.interval,
            "ece_chance": found.chance,
            "ece_chance_high": found.chance_high,
            "scores": None if self.scores is None else asdict(self.scores),
        }


class Confidences:
    """`ConfidenceFigures` in the making: a few bytes are kept of each record."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._confidences, self._right, self._subjects = array("d"), array("b"), Subjects()
        self._brier, self._nll, self._scored = array("d"), array("d"), Subjects()

    def add(self, record: Mapping[str, Any]) -> Distribution | None:
        """Read a record, and return its distribution; one without confidence counts nowhere."""
        known, confidence = distribution_of(record, self._names), confidence_of(record)
        if confidence is None:
            return known
        subject = (record.get("attributes") or {}).get(SUBJECT)
        self._confidences.append(confidence)
        self._right.append(is_right(record))
        self._subjects.add(subject)
        if known is None:
            return None
        log_p = known[record["target"]]
        self._brier.append(brier_score(known, record["target"]))
        self._nll.append(math.inf if math.exp(log_p) == 0 else -min(log_p, 0.0))
        self._scored.add(subject)
        return known

    @cached_property
    def figures(self) -> ConfidenceFigures | None:
        """The figures, once all records are read; None where no record has a confidence."""
        if not self._confidences:
            return None
        right = np.array(self._right, dtype=bool)
        return ConfidenceFigures(
            calibrate(np.array(self._confidences), right, clusters=self._subjects.numbers()),
            proper_scores(np.array(self._brier), np.array(self._nll), self._scored.numbers()),
        )


def is_right(record: Mapping[str, Any]) -> bool:
    """Whether a sample got its true label."""
    return bool(record["status"] == OK and record["prediction"] == record["target"])
