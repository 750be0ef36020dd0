"""Whether the conditions of a family are right equally often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coabench.metrics.predictions import Predicted


@dataclass(frozen=True)
class Cochran:
    """Cochran's Q of the clean run and the conditions of a family.

    Attributes:
        runs: how many are compared, the clean one among them.
        q: None where every sample is right in all of them, or in none.
        p: by χ² with *runs* − 1 degrees of freedom; None where there is no *q*, or where persons are on several images,
            whose samples are not independent.
    """

    family: str
    runs: int
    q: float | None
    p: float | None


def cochran(family: str, runs: Sequence[Predicted]) -> Cochran:
    """Test whether runs on the same samples, in the same order, are right equally often.

    Source: W. G. Cochran, "The comparison of percentages in matched samples", Biometrika 37, 1950, pages 256 to 266.
    With two runs it is McNemar's test without a correction.

    Args:
        runs: the clean one, and at least one other.
    """
    right = np.stack([run.predictions == run.targets for run in runs], axis=1).astype(np.int64)
    k, columns, rows = right.shape[1], right.sum(axis=0), right.sum(axis=1)
    spread = int((rows * (k - rows)).sum())
    if not spread:
        return Cochran(family, k, None, None)
    q = float((k - 1) * (k * (columns**2).sum() - columns.sum() ** 2) / spread)
    if runs[0].clusters is not None:
        return Cochran(family, k, q, None)
    from scipy.stats import chi2

    return Cochran(family, k, q, float(chi2.sf(q, k - 1)))
