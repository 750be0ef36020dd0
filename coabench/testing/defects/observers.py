"""What may be wrong with a plugin that observes runs or trainings."""

from __future__ import annotations

from coabench.testing.findings import UNEXPECTED, Defect

FAILS = Defect(
    "observer-fails",
    "it raises when a run or a training is reported to it",
    "it is left out for the rest of the run, and receives nothing more",
    "catch what may go wrong in the hook; a run must not depend on an observer",
)
MOST_SECONDS = 0.2
"""An observer that takes longer for each sample or step slows a job down noticeably."""

SLOW = Defect(
    "slow-observer",
    f"it takes more than {MOST_SECONDS} seconds for each sample or step",
    "the job waits for it, and a run may have thousands of samples",
    "collect what you receive, and send it in a thread of your own, or when the run is finished",
    "warning",
)
DEFECTS = (FAILS, SLOW, UNEXPECTED)
