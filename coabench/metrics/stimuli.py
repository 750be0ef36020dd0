"""What controlled stimuli say: curves over numbers, thresholds, matched pictures, blends. Read record by record."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from coabench.base.vocabulary import OK, SUBJECT
from coabench.metrics.curves import Point, curve
from coabench.metrics.matched import Answered, Matched, matched
from coabench.metrics.predictions import Predicted
from coabench.metrics.psychometric import Threshold, threshold
from coabench.metrics.statistics import Figures

STIMULUS, VARIED = "stimulus", "varied"
"""The attributes by which a data set says which pictures are matched, and which attribute alone they differ in."""

MOST = 1e300
"""A number beyond is none: an integer of JSON may be larger than any float."""

INTENSITY, SHARE, BLEND = "intensity", "share", "blend"
"""The attributes that have a psychometric function, and those of a mixture of two emotions."""


@dataclass(frozen=True)
class Blend:
    """Where the compound of two emotions is answered.

    Attributes:
        name: the two emotions.
        compound: its label.
        points: share of the first emotion -> how many of the answers are the compound.
        begins, ends: the least and the largest share at which at least half of them are; None where it never is so.
    """

    name: str
    compound: str
    points: tuple[Point, ...]

    @property
    def begins(self) -> float | None:
        return min((p.x for p in self.points if p.accuracy >= 0.5), default=None)

    @property
    def ends(self) -> float | None:
        return max((p.x for p in self.points if p.accuracy >= 0.5), default=None)


@dataclass(frozen=True)
class StimulusFigures:
    """What a run's answers say about what is known of its samples.

    Attributes:
        curves: number -> accuracy against it.
        thresholds: number -> its psychometric function.
        matched: the attributes that matched pictures differ in.
        blends: the mixtures.
    """

    curves: Mapping[str, tuple[Point, ...]]
    thresholds: Mapping[str, Threshold]
    matched: tuple[Matched, ...]
    blends: tuple[Blend, ...]

    def __bool__(self) -> bool:
        return bool(self.curves or self.matched)

    def to_json(self) -> dict[str, Any]:
        """Return them for ``metrics.json``."""
        return {
            "curves": {name: [_plain(asdict(p)) for p in points] for name, points in self.curves.items()},
            "thresholds": {
                name: {
                    "threshold": it.curve.threshold,
                    "threshold_interval": it.threshold and list(it.threshold),
                    "slope": it.curve.slope,
                    "slope_interval": it.slope and list(it.slope),
                    "guess": it.curve.guess,
                    "lapse": it.curve.lapse,
                    "units": it.units,
                }
                for name, it in self.thresholds.items()
            },
            "matched": [_plain(asdict(it)) for it in self.matched],
            "blends": [_plain(asdict(it)) | {"begins": it.begins, "ends": it.ends} for it in self.blends],
        }


class Stimuli:
    """`StimulusFigures` in the making: a number of each record and attribute is kept, and matched answers."""

    def __init__(self) -> None:
        self._numbers: dict[str, array[float]] = {}
        self._matched: dict[str, dict[str, Answered]] = {}
        self._blends: dict[tuple[str, str], list[int]] = {}
        self._count = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Read a record, in the order in which `coabench.metrics.predictions.Reading` does."""
        attributes = record.get("attributes") or {}
        for name, value in attributes.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and name != SUBJECT and abs(value) < MOST:
                column = self._numbers.setdefault(name, array("d"))
                column.extend([np.nan] * (self._count - len(column)))
                column.append(value)
        stimulus, varied, blend = (attributes.get(name) for name in (STIMULUS, VARIED, BLEND))
        if isinstance(stimulus, str) and isinstance(varied, str) and attributes.get(varied) is not None:
            empty = Answered(str(attributes.get(SUBJECT, stimulus)), {})
            answer = self._matched.setdefault(varied, {}).setdefault(stimulus, empty)
            right = record["status"] == OK and record["prediction"] == record["target"]
            answer.right[str(attributes[varied])] = right
        if isinstance(blend, str) and SHARE in attributes:
            self._blends.setdefault((blend, record["target"]), []).append(self._count)
        self._count += 1

    def figures(self, predicted: Predicted) -> StimulusFigures:
        """Return the figures of the records that were read.

        Args:
            predicted: what they predicted.
        """
        right, who = (predicted.predictions == predicted.targets).astype(np.float64), predicted.clusters
        columns = {name: self._column(name) for name in self._numbers}
        curves = {name: points for name, x in columns.items() if (points := curve(x, right, who))}
        thresholds = {}
        if INTENSITY in curves:
            known = np.flatnonzero(~np.isnan(columns[INTENSITY]))
            own = None if who is None else who[known]
            thresholds[INTENSITY] = threshold(columns[INTENSITY][known], right[known], own, predicted.k)
        blends = []
        for (name, compound), rows in self._blends.items():
            own = None if who is None else who[rows]
            blends.append(Blend(name, compound, curve(columns[SHARE][rows], right[rows], own)))
        found = (matched(name, answers) for name, answers in self._matched.items())
        return StimulusFigures(curves, thresholds, tuple(it for it in found if it), tuple(blends))

    def _column(self, name: str) -> Figures:
        column = np.full(self._count, np.nan)
        column[: len(self._numbers[name])] = self._numbers[name]
        return column


def _plain(value: Any) -> Any:
    """Return tuples as lists, as they are read again."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
