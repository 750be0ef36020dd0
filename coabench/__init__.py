"""coabench: measure vision-language models on compound facial expression recognition.

`evaluate` and `train` do what the commands of these names do; `load_runs` and `load_records` give pandas tables.
Importing this package takes in nothing heavy.
"""

__version__ = "0.1.0"  # first: what is imported below asks for it

from coabench.api import evaluate, train  # functions that hide the modules of these names, which stay importable
from coabench.errors import CoabenchError, JobError, SampleError, UserError
from coabench.hookspecs import hookimpl
from coabench.notebook import load_records, load_runs

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
