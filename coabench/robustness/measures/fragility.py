"""Which labels break first: what each family costs the recall of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from coabench.metrics.figures import recalls
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Figures


def recall_changes(clean: Predicted, families: Mapping[str, Sequence[Predicted]]) -> dict[str, Figures]:
    """Return the recall of each label under a family minus that in the clean run, shape (k,), by family.

    The mean over the conditions of the family; NaN for a label without samples.
    """
    before = recalls(clean.confusion)
    return {
        family: np.mean([recalls(each.confusion) - before for each in conditions], axis=0)
        for family, conditions in families.items()
    }
