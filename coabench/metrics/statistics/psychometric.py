"""The psychometric function: how the probability of a right answer rises with the strength of a stimulus."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coabench.metrics.statistics.resampling import Counts, Figures

MOST_LAPSES = 0.5
"""The upper bound of the lapse rate. Wichmann and Hill bound it by .06, for observers who know the answer and err by
inattention; a model that takes one expression for another does so at any strength, and far more often."""

_FLATTEST, _STEEPEST = 0.5, 200.0
"""Bounds of the logistic's rate, over the whole range of strengths."""


@dataclass(frozen=True)
class Psychometric:
    """Ψ(x) = γ + (1 − γ − λ)·F(x), F(x) = 1/(1 + e^(−β(x − α))).

    Attributes:
        alpha, beta: middle and rate of the logistic F.
        guess: γ, the rate of right answers by guessing.
        lapse: λ, the rate of wrong ones however strong the stimulus.
        low, high: the range of strengths that were tried.
    """

    alpha: float
    beta: float
    guess: float
    lapse: float
    low: float
    high: float

    def at(self, x: float) -> float:
        """Return the probability of a right answer at strength *x*."""
        return float(_model(np.array([x]), self.alpha, self.beta, self.guess, self.lapse)[0])

    @property
    def threshold(self) -> float | None:
        """The strength at which Ψ = (1 + γ)/2, halfway from guessing to perfect; None outside of what was tried."""
        part = self._half
        if not part < 1:
            return None
        x = self.alpha + math.log(part / (1 - part)) / self.beta
        return x if self.low <= x <= self.high else None

    @property
    def slope(self) -> float | None:
        """The derivative of Ψ at the threshold; None where there is none."""
        part = self._half
        return None if self.threshold is None else (1 - self.guess - self.lapse) * self.beta * part * (1 - part)

    @property
    def _half(self) -> float:
        return (1 - self.guess) / 2 / (1 - self.guess - self.lapse)


def fit_psychometric(
    levels: Figures,
    hits: Counts | Figures,
    sizes: Counts | Figures,
    guess: float,
    near: Psychometric | None = None,
) -> Psychometric:
    """Return the likeliest psychometric function, its guess rate fixed and its lapse rate at most `MOST_LAPSES`.

    Source: F. A. Wichmann and N. J. Hill, "The psychometric function: I. Fitting, sampling, and goodness of fit",
    Perception & Psychophysics 63 (8), 2001, pp. 1293–1313: equation 1, and why the lapse rate is fitted within bounds.

    Args:
        levels: the strengths, shape (m,), not all the same.
        hits, sizes: right answers and answers at each, shape (m,).
        guess: γ, within 0…1.
        near: where the search begins; from several places by default.

    Raises:
        ValueError: fewer than two strengths.
    """
    from scipy.optimize import minimize

    low, high = float(levels.min()), float(levels.max())
    if low == high:
        raise ValueError("a curve needs at least two strengths")
    x, h, n = ((levels - low) / (high - low)), np.asarray(hits, np.float64), np.asarray(sizes, np.float64)

    def loss(parameters: Figures) -> tuple[float, Figures]:
        """Return the negative log-likelihood of an answer, and its gradient."""
        alpha, beta, lapse = parameters[0], math.exp(parameters[1]), parameters[2]
        rise, part = 1 - guess - lapse, _model(x, alpha, beta, 0.0, 0.0)
        p = np.clip(guess + rise * part, 1e-9, 1 - 1e-9)
        by_p, steep = ((n - h) / (1 - p) - h / p) / n.sum(), rise * beta * part * (1 - part)
        value = float(-(h * np.log(p) + (n - h) * np.log1p(-p)).sum() / n.sum())
        return value, np.array([-(by_p * steep).sum(), (by_p * steep * (x - alpha)).sum(), -(by_p * part).sum()])

    bounds = [(-1.0, 2.0), (math.log(_FLATTEST), math.log(_STEEPEST)), (0.0, min(MOST_LAPSES, 1 - guess - 1e-6))]
    if near is None:
        starts = [(middle, math.log(rate), 0.05) for middle in (0.3, 0.7) for rate in (5.0, 30.0)]
    else:
        starts = [((near.alpha - low) / (high - low), math.log(near.beta * (high - low)), near.lapse)]
    fits = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    alpha, log_beta, lapse = min(fits, key=lambda fit: float(fit.fun)).x
    width = high - low
    return Psychometric(low + float(alpha) * width, math.exp(log_beta) / width, guess, float(lapse), low, high)


def _model(x: Figures, alpha: float, beta: float, guess: float, lapse: float) -> Figures:
    return np.asarray(guess + (1 - guess - lapse) / (1 + np.exp(-np.clip(beta * (x - alpha), -500, 500))))
