"""Ways to correct a run's confidence, fitted on samples whose truth is known. None of them changes a label.

Sources: temperature scaling: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
networks", ICML 2017; J. C. Platt, "Probabilistic outputs for support vector machines", in *Advances in Large Margin
Classifiers*, MIT Press, 2000; isotonic regression: B. Zadrozny and C. Elkan, "Transforming classifier scores into
accurate multiclass probability estimates", KDD 2002. Fitted by scipy and scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np

from coabench.base.schema import Number, Proportion, must
from coabench.errors import UserError
from coabench.metrics.distributions import Distribution, normalised
from coabench.metrics.statistics import Figures

WIDEST = 100.0
"""The largest temperature, and one over the smallest. One beyond says that the scores mean nothing, or all."""

FINEST = 1e-6
"""A confidence nearer than this to 0 or 1 is taken to be so near: a record's scores have six places."""


def _is_possible(temperature: float) -> bool:
    return 1 / WIDEST < temperature < WIDEST


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """All log-probabilities over one number: above 1 for a run that is too sure. The best label stays the best."""

    name: ClassVar[str] = "temperature"
    temperature: Annotated[Number, must(_is_possible, f"a number within {1 / WIDEST:g}…{WIDEST:g}")]

    @classmethod
    def fit(cls, distributions: Sequence[Distribution], targets: Sequence[str]) -> Temperature:
        """Minimise the mean negative log-likelihood of the true labels, a convex function of 1/T.

        Raises:
            UserError: it has no minimum among positive, finite temperatures.
        """
        from scipy.optimize import minimize_scalar
        from scipy.special import logsumexp

        columns = {outcome: i for i, outcome in enumerate(dict.fromkeys(o for each in distributions for o in each))}
        logs = np.full((len(distributions), len(columns)), -1e9)
        for row, each in zip(logs, distributions, strict=True):
            row[[columns[outcome] for outcome in each]] = list(each.values())
        of_target = logs[np.arange(len(logs)), [columns[target] for target in targets]]

        def loss(log_t: float) -> float:
            scale = math.exp(-log_t)
            return float((logsumexp(logs * scale, axis=1) - of_target * scale).mean())

        widest = math.log(WIDEST)
        found = float(minimize_scalar(loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-8}).x)
        if abs(found) > widest - 1e-3:
            raise UserError(
                "no temperature fits these scores",
                expected=f"a minimum of the log loss between {1 / WIDEST:g} and {WIDEST:g}",
                found="scores that say nothing about the labels, or true labels of probability 0"
                if found > 0
                else "scores that are never sure enough",
                remedy="take --method platt or isotonic, or another run",
            )
        return cls(temperature=math.exp(found))

    def distribution(self, distribution: Distribution) -> Distribution:
        """Return what becomes of the probabilities of a sample's labels."""
        return normalised({outcome: log_p / self.temperature for outcome, log_p in distribution.items()})


@dataclass(frozen=True, kw_only=True)
class Platt:
    """A logistic function of the confidence's log-odds."""

    name: ClassVar[str] = "platt"
    slope: Number
    intercept: Number

    @classmethod
    def fit(cls, confidences: Figures, right: Figures) -> Platt:
        """Fit whether samples are right. The n₊ hits have the target (n₊ + 1)/(n₊ + 2), misses 1/(n₋ + 2): Platt's,
        with which the fit is finite even where the confidence parts hits from misses."""
        from sklearn.linear_model import LogisticRegression

        hits, misses = right.sum(), len(right) - right.sum()
        target = np.where(right > 0, (hits + 1) / (hits + 2), 1 / (misses + 2))
        x = np.tile(_log_odds(confidences), 2)[:, None]
        model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000)
        model.fit(x, np.repeat([1, 0], len(right)), sample_weight=np.concatenate([target, 1 - target]))
        return cls(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]))

    def confidence(self, confidences: Figures) -> Figures:
        """Return the chances of being right, shape (n,)."""
        from scipy.special import expit

        made: Figures = expit(self.slope * _log_odds(confidences) + self.intercept)
        return made


def _rises(points: Sequence[tuple[float, float]]) -> bool:
    return bool(points) and all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))


@dataclass(frozen=True, kw_only=True)
class Isotonic:
    """A function of the confidence that never falls, linear between its points and constant beyond them.

    Attributes:
        points: confidence and chance of being right.
    """

    name: ClassVar[str] = "isotonic"
    points: Annotated[tuple[tuple[Proportion, Proportion], ...], must(_rises, "pairs of confidence and chance, rising")]

    @classmethod
    def fit(cls, confidences: Figures, right: Figures) -> Isotonic:
        """Fit whether samples are right, by least squares."""
        from sklearn.isotonic import IsotonicRegression

        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidences, right)
        return cls(points=tuple(zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True)))

    def confidence(self, confidences: Figures) -> Figures:
        """Return the chances of being right, shape (n,)."""
        at, chances = np.array(self.points, dtype=np.float64).T
        return np.asarray(np.interp(confidences, at, chances))


Calibrator = Temperature | Platt | Isotonic

METHODS: Mapping[str, type[Calibrator]] = {kind.name: kind for kind in (Temperature, Platt, Isotonic)}


def _log_odds(confidences: Figures) -> Figures:
    kept = np.clip(confidences, FINEST, 1 - FINEST)
    return np.asarray(np.log(kept) - np.log1p(-kept))
