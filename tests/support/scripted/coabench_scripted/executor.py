"""An executor: one run after the other, in this process."""

from coabench.sweep.executor import Ending, Executor
from coabench.sweep.worker import perform


class Here(Executor):
    def __init__(self, request):
        pass

    def execute(self, runs):
        for run in runs:
            yield Ending(run, perform(run.request, run.identity))
