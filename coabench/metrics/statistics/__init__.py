"""How sure a figure is, and whether two figures differ: pure functions on numbers and arrays.

`intervals` turns hits or replicates into an interval, `resampling` draws a test set again and again, `paired` compares
runs that answered the same samples, `all_pairs` every two of many. Everything random is seeded by an argument with a
fixed default, so the same counts give the same interval (with the same version of numpy).
"""

from coabench.metrics.statistics.all_pairs import paired_p_matrix, told_apart
from coabench.metrics.statistics.calibration_error import Binned, CalibrationError, calibration_error
from coabench.metrics.statistics.intervals import (
    LEVEL,
    Interval,
    difference_interval,
    jackknife_variance,
    mean_of_independent,
    mean_score_interval,
    normal_quantile,
    percentile_interval,
    student_quantile,
    wilson_interval,
)
from coabench.metrics.statistics.means import means_without, share_mean_interval, student_interval
from coabench.metrics.statistics.paired import (
    POWER,
    TESTABLE,
    Difference,
    holm,
    mcnemar,
    minimum_detectable,
    paired_difference,
    sign_flip,
)
from coabench.metrics.statistics.power import detectable, power
from coabench.metrics.statistics.resampling import REPLICATES, SEED, Counts, Figures, bootstrap
from coabench.metrics.statistics.seeds import Spread, mean_interval, recipe_difference, recipe_spread

__all__ = [
    "LEVEL",
    "POWER",
    "REPLICATES",
    "SEED",
    "TESTABLE",
    "Binned",
    "CalibrationError",
    "Counts",
    "Difference",
    "Figures",
    "Interval",
    "Spread",
    "bootstrap",
    "calibration_error",
    "detectable",
    "difference_interval",
    "holm",
    "jackknife_variance",
    "mcnemar",
    "mean_interval",
    "mean_of_independent",
    "mean_score_interval",
    "means_without",
    "minimum_detectable",
    "normal_quantile",
    "paired_difference",
    "paired_p_matrix",
    "percentile_interval",
    "power",
    "recipe_difference",
    "recipe_spread",
    "share_mean_interval",
    "sign_flip",
    "student_interval",
    "student_quantile",
    "told_apart",
    "wilson_interval",
]
