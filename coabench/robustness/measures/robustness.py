"""How much of the gain over chance is left, over all families of conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from coabench.metrics.headline import Estimate
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Figures, student_interval


def relative_robustness(clean: Predicted, families: Mapping[str, Sequence[Predicted]]) -> Estimate:
    """Return the mean share of the gain over chance that is left, each family counting the same.

    R = 1/F · Σ_f 1/|f| · Σ_{c in f} (UAR_c − 1/k) / (UAR_clean − 1/k), k the labels that have samples: 1 where nothing
    is lost, 0 at chance, below 0 beneath it. Empty where the clean run is not above chance. The interval is Student's
    with the jackknife over samples (or persons); there is none where R cannot vary.

    Source: after the relative corruption errors of D. Hendrycks and T. Dietterich, "Benchmarking neural network
    robustness to common corruptions and perturbations", ICLR 2019 (arXiv 1903.12261), section 4; theirs are divided by
    those of AlexNet, this by the run's own gain over chance.

    Args:
        families: the conditions of each, of the same samples as *clean* in the same order; at least one.
    """
    chance = 1 / int(np.count_nonzero(clean.sizes))
    after = np.mean([_hits(conditions) for conditions in families.values()], axis=0)
    (uar, uars), (left, lefts) = (_uar(hits, clean) for hits in (_hits([clean]), after))
    if uar <= chance:
        return Estimate()
    kept = (left - chance) / (uar - chance)
    if not (uars > chance).all():
        return Estimate(kept)
    return Estimate(kept, *(student_interval(kept, (lefts - chance) / (uars - chance)) or ()))


def _hits(runs: Sequence[Predicted]) -> Figures:
    """Return in which part of the runs each sample is right, shape (n,)."""
    hits: Figures = np.mean([run.predictions == run.targets for run in runs], axis=0)
    return hits


def _uar(hits: Figures, of: Predicted) -> tuple[float, Figures]:
    """Return the UAR, and the UAR without each unit, shape (units,); a label that only it has keeps its recall."""
    present = of.sizes > 0
    cell, cells = of.units * of.k + of.targets, (int(of.units.max()) + 1) * of.k
    own, own_n = (
        np.bincount(cell, weights=weights, minlength=cells).reshape(-1, of.k)[:, present]
        for weights in (hits, np.ones(len(of)))
    )
    total, n = own.sum(axis=0), own_n.sum(axis=0)
    recalls = np.tile(total / n, (len(own), 1))
    np.divide(total - own, n - own_n, out=recalls, where=n > own_n)
    return float((total / n).mean()), recalls.mean(axis=1)
