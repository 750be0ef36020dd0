"""What ``metrics.json`` holds, as it is read again; `coabench.metrics.summary` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from coabench.base.schema import Count, Number, Proportion, must, others
from coabench.metrics.headline import FIGURES, Headline
from coabench.metrics.predictions import Predicted

Interval = tuple[Proportion, Proportion]

AgainstChance = Annotated[Number, must(lambda number: -1 <= number <= 1, "a number from -1 to 1")]


@dataclass(frozen=True, kw_only=True)
class StoredClass:
    """The recall of a class."""

    n: Count
    hits: Count
    recall: Proportion | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class StoredMatrix:
    """A matrix of counts, with a label for each column; the last has no row in a confusion matrix."""

    labels: tuple[str, ...]
    rows: tuple[tuple[Count, ...], ...]

    @property
    def is_whole(self) -> bool:
        """Whether every row has a number for every label."""
        return all(len(row) == len(self.labels) for row in self.rows)


Matrix = Annotated[StoredMatrix, must(lambda matrix: matrix.is_whole, "rows with a number for each label")]


@dataclass(frozen=True, kw_only=True)
class StoredOracle:
    """The figures over the samples whose primary answer was right."""

    war: Proportion
    uar: Proportion


@dataclass(frozen=True, kw_only=True)
class StoredChain:
    """The diagnostics of a chain of two questions."""

    samples: Count
    right_primaries: Count
    primary_in_pair: Proportion
    primary_in_pair_interval: Interval
    secondary_given_right_primary: Proportion | None
    secondary_given_right_primary_interval: Interval | None
    oracle_primary: StoredOracle | None
    repeated: Count
    neutral_first: Count
    neutral_second: Count
    no_class: Count
    unparsed: Count
    primary_secondary: Matrix


@dataclass(frozen=True, kw_only=True)
class StoredShare:
    """A share of so many samples."""

    n: Count
    value: Proportion
    interval: Interval
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class StoredMean:
    """Another mean over so many samples."""

    n: Count
    value: Number | None
    interval: tuple[Number, Number] | None


@dataclass(frozen=True, kw_only=True)
class StoredVotes:
    """The figures against the votes of annotators."""

    samples: Count
    annotations: Number
    accuracy: StoredShare
    expected_accuracy: StoredShare
    ceiling: StoredShare
    annotator: StoredShare | None
    alpha: StoredMean | None
    cross_entropy: StoredMean | None
    entropy: StoredMean | None
    jensen_shannon: StoredShare | None


@dataclass(frozen=True, kw_only=True)
class StoredScores:
    """The proper scores."""

    n: Count
    brier: Number
    brier_interval: tuple[Number, Number] | None
    nll: Number | None
    nll_interval: tuple[Number, Number] | None
    impossible: Count


@dataclass(frozen=True, kw_only=True)
class StoredCalibration:
    """The figures of confidence."""

    samples: Count
    subjects: Count | None
    confidence: Proportion
    accuracy: Proportion
    bins: Count
    ece: Proportion
    ece_interval: Interval | None
    ece_chance: Number
    ece_chance_high: Number
    scores: StoredScores | None


@dataclass(frozen=True, kw_only=True)
class StoredMetrics:
    """The metrics of a run."""

    schema: int
    log_sha256: str
    samples: Count
    uar: Proportion
    uar_interval: Interval | None
    war: Proportion
    war_interval: Interval | None
    macro_f1: Proportion
    macro_f1_interval: Interval | None
    adjusted_uar: AgainstChance | None
    adjusted_uar_interval: tuple[AgainstChance, AgainstChance] | None
    kappa: AgainstChance | None
    kappa_interval: tuple[AgainstChance, AgainstChance] | None
    no_interval: Mapping[str, str]
    invalid: Count
    errors: Count
    invalid_rate: Proportion
    reasons: Mapping[str, Count]
    per_class: Mapping[str, StoredClass]
    confusion: Matrix
    chain: StoredChain | None
    top_2: StoredShare | None
    votes: StoredVotes | None
    calibration: StoredCalibration | None = None
    plugins: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = others()


def contradiction(metrics: Mapping[str, Any], predicted: Predicted) -> str | None:
    """Return the field of stored metrics that is not what the predictions give; None where all are.

    What takes a resampling to know, the bounds of some intervals, is not computed anew.
    """
    confusion = predicted.confusion
    hits, n = confusion.diagonal(), confusion.sum(axis=-1)
    classes = zip(predicted.names, n.tolist(), hits.tolist(), strict=True)
    right: dict[str, Any] = {
        "samples": len(predicted),
        **{figure.name: figure.value(predicted) for figure in FIGURES},
        **{f"{figure.name}_interval": _bounds(figure, predicted) for figure in FIGURES if figure.score},
        "invalid_rate": metrics["invalid"] / len(predicted),
        "per_class": {name: (m, h, h / m if m else None) for name, m, h in classes},
        "confusion": {"labels": [*predicted.names, "INVALID"], "rows": confusion.tolist()},
    }
    if metrics["invalid"] + metrics["errors"] != int(confusion[:, -1].sum()):
        return "invalid"
    there = dict(metrics)
    there["per_class"] = {name: (it["n"], it["hits"], it["recall"]) for name, it in metrics["per_class"].items()}
    return next((name for name, value in right.items() if not _alike(there[name], value)), None)


def _bounds(figure: Headline, predicted: Predicted) -> list[float] | None:
    (_, low, high), _ = figure.measure(predicted)
    return None if low is None or high is None else [low, high]


def _alike(one: Any, other: Any) -> bool:
    """Whether values are equal, figures but for what another machine rounds otherwise."""
    if isinstance(other, float):
        return one is not None and bool(abs(one - other) < 1e-9)
    if isinstance(other, list) and isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)
