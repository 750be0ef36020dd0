"""What may be wrong with an executor of sweeps."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_EXECUTOR = Defect(
    "no-executor",
    "its target does not make an executor",
    "the sweep calls it with an ExecutorRequest, then check(runs) and execute(runs)",
    "derive from coabench.sweep.executor.Executor and implement execute",
)
FAILS = Defect(
    "fails",
    "it raises while it carries out runs",
    "the sweep ends, and with it the runs that would have worked",
    "yield an Ending with the problem of the run that fails",
)
NO_ENDING = Defect(
    "no-ending",
    "it yields something other than an Ending of one of the runs, or None",
    "the sweep reports what became of each run as it ends",
    "yield coabench.sweep.executor.Ending(run, problem) with the run as it came, and None while waiting",
)
NOT_ONCE = Defect(
    "not-once",
    "a run does not end, or ends more than once",
    "the sweep says how many runs are left, and what became of each",
    "yield one Ending for every run, failed ones and those whose process died too",
)
NOT_DONE = Defect(
    "not-done",
    "it says that a run ended well, and the run is not complete",
    "its numbers are missing",
    "call coabench.sweep.worker.perform(run.request, run.identity), and pass on what it returns",
)
HIDES = Defect(
    "hides-failure",
    "it says that a run ended well which could not be done, or that one failed which could",
    "the user would not know what to repeat",
    "pass on what coabench.sweep.worker.perform returns: the problem, or None",
)
GOES_ON = Defect(
    "goes-on",
    "runs continue after the generator was closed",
    "the sweep was stopped: Ctrl-C must free the machine, and nobody else may write the folders",
    "stop what runs in a finally: around the yield, and begin no other run",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_EXECUTOR, BAD_OPTIONS, FAILS, NO_ENDING, NOT_ONCE, NOT_DONE, HIDES, GOES_ON, UNEXPECTED,
)  # fmt: skip
