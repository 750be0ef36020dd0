"""Figures of runs: pure functions on arrays, their intervals and tests, and what is put together of them.

The formulas of `coabench.metrics.figures` can be imported from here.
"""

from coabench.metrics.figures import (
    confusion_matrix,
    encode,
    macro_f1,
    paired_table,
    recall_differences,
    recalls,
    shares,
    uar,
    uar_difference,
    unknown_label,
    war,
    war_difference,
)

__all__ = [
    "confusion_matrix",
    "encode",
    "macro_f1",
    "paired_table",
    "recall_differences",
    "recalls",
    "shares",
    "uar",
    "uar_difference",
    "unknown_label",
    "war",
    "war_difference",
]
