"""What may be wrong with a metric."""

from __future__ import annotations

from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

FAILS = Defect(
    "fails",
    "it raises on a run that can happen",
    "the metric is left out of metrics.json",
    "allow for one sample, for classes without samples, and for labels with and without pairs",
)
FAILS_ON_NONE = Defect(
    "fails-on-invalid",
    "it raises where predictions are None",
    "answers that could not be understood are in every real run",
    "treat None as a wrong prediction: it is no label",
)
FAILS_WITHOUT = Defect(
    "fails-on-missing",
    "it raises where records lack scores, votes or attributes",
    "many runs have none of them, and their users read of a crash instead of what is missing",
    "raise coabench.errors.UserError and say what the metric needs: it is then left out, with these words",
)
NOT_JSON = Defect(
    "not-json",
    "its result cannot stand in metrics.json",
    "JSON has no NaN, no infinity, no array and no keys that are numbers",
    "return numbers, texts, lists and dictionaries with texts as keys; None where a value is not defined",
)
UNSTEADY = Defect(
    "unsteady-result",
    "the same predictions give another result",
    "metrics must follow from the log alone",
    "draw only from a generator with a fixed seed",
)
DEFECTS = (NOT_IMPORTABLE, FAILS, FAILS_ON_NONE, FAILS_WITHOUT, NOT_JSON, UNSTEADY, UNEXPECTED)
