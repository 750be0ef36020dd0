"""coabench: measure vision-language models on compound facial expression recognition.

`evaluate` and `train` do what the commands of these names do; `load_runs` and `load_records` give pandas tables.
Importing this package takes in nothing heavy.
"""

from coabench.api import evaluate, train
from coabench.base.version import __version__
from coabench.errors import CoabenchError, JobError, SampleError, UserError
from coabench.hookspecs import hookimpl
from coabench.reports.pandas_tables import load_records, load_runs

__all__ = [
    "CoabenchError",
    "JobError",
    "SampleError",
    "UserError",
    "__version__",
    "evaluate",
    "hookimpl",
    "load_records",
    "load_runs",
    "train",
]
