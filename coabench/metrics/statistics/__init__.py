"""How sure a figure is, and whether two figures differ: pure functions on numbers and arrays.

`intervals` turns hits or replicates into an interval, `resampling` draws a test set again and again, `paired` compares
runs that answered the same samples. Everything random is seeded by an argument with a fixed default, so the same
counts give the same interval (with the same version of numpy).
"""

from coabench.metrics.statistics.intervals import LEVEL, percentile_interval, wilson_interval
from coabench.metrics.statistics.paired import POWER, holm, mcnemar, minimum_detectable, sign_flip, sign_flip_matrix
from coabench.metrics.statistics.resampling import REPLICATES, SEED, Counts, Figures, bootstrap

__all__ = [
    "LEVEL",
    "POWER",
    "REPLICATES",
    "SEED",
    "Counts",
    "Figures",
    "bootstrap",
    "holm",
    "mcnemar",
    "minimum_detectable",
    "percentile_interval",
    "sign_flip",
    "sign_flip_matrix",
    "wilson_interval",
]
