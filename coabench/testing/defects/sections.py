"""What may be wrong with a section of the report."""

from __future__ import annotations

from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

FAILS = Defect(
    "fails",
    "it raises on a run that can happen",
    "the page shows an error in its place",
    "allow for one sample, for classes without samples, for labels with and without pairs, and for predictions of None",
)
FAILS_WITHOUT = Defect(
    "fails-on-missing",
    "it raises where records lack scores, votes or attributes",
    "many runs have none of them, and their readers see a crash instead of what is missing",
    "raise coabench.errors.UserError and say what the section needs, or return None to be left out",
)
NO_SECTION = Defect(
    "no-section",
    "what it returns cannot be shown",
    "the page says so in its place",
    "return a coabench.section.Section of texts, tables and charts with finite numbers, or None",
)
UNSTEADY = Defect(
    "unsteady-section",
    "the same run gives another section",
    "the same run is to give the same page, byte for byte",
    "draw only from a generator with a fixed seed, and put what comes from a set in order",
)
DEFECTS = (NOT_IMPORTABLE, FAILS, FAILS_WITHOUT, NO_SECTION, UNSTEADY, UNEXPECTED)
