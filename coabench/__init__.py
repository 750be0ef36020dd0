"""coabench: measure vision-language models on compound facial expression recognition.

`evaluate`, `predict`, `train`, `stress`, `explain`, `compare`, `leaderboard` and `appendix` do what the commands of
these names do.
`load` keeps a model for many predictions, `load_run` reads a run again; `load_runs` and `load_records` give pandas
tables.
Importing this package loads nothing heavy, since every command and every plugin imports it; each job is loaded with its
first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coabench.base.version import __version__
from coabench.errors import CoabenchError, JobError, SampleError, UserError
from coabench.hookspecs import hookimpl
from coabench.reports.pandas_tables import load_records, load_runs

if TYPE_CHECKING:
    from coabench.api import (
        appendix,
        compare,
        evaluate,
        explain,
        leaderboard,
        load,
        load_run,
        load_stress,
        predict,
        stress,
        train,
    )

__all__ = [
    "CoabenchError",
    "JobError",
    "SampleError",
    "UserError",
    "__version__",
    "appendix",
    "compare",
    "evaluate",
    "explain",
    "hookimpl",
    "leaderboard",
    "load",
    "load_records",
    "load_run",
    "load_runs",
    "load_stress",
    "predict",
    "stress",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from coabench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
