"""What one condition changes: the UAR, the answers, right ones into wrong ones and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coabench.metrics.headline import UAR, Estimate
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Difference, Figures, paired_difference, share_mean_interval


@dataclass(frozen=True)
class Effect:
    """A condition beside the clean run, on the same samples. All figures but *change* are proportions of samples.

    Attributes:
        uar: under the condition.
        change: that UAR minus the clean one.
        flips: another label than in the clean run; no label is one more.
        harmed: right in the clean run, wrong here.
        helped: wrong in the clean run, right here.
        invalid: without a label here.
    """

    uar: Estimate
    change: Difference
    flips: Estimate
    harmed: Estimate
    helped: Estimate
    invalid: Estimate


def effect(clean: Predicted, condition: Predicted) -> Effect:
    """Compare a condition with the clean run, both of the same samples in the same order.

    The interval of the change is that of `coabench.metrics.statistics.paired_difference`; those of proportions are
    Wilson's, over persons where persons are on several images (`share_mean_interval`).
    """
    before, after = clean.predictions == clean.targets, condition.predictions == condition.targets
    return Effect(
        UAR.measure(condition)[0],
        paired_difference(condition.shares, clean.shares, clean.sizes),
        _share(clean.predictions != condition.predictions, clean),
        _share(before & ~after, clean),
        _share(after & ~before, clean),
        _share(condition.predictions == condition.k, clean),
    )


def _share(these: Figures, of: Predicted) -> Estimate:
    values = np.asarray(these, dtype=np.float64)
    return Estimate(float(values.mean()), *share_mean_interval(values, of.clusters))
