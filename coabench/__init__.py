"""coabench: measure vision-language models on compound facial expression recognition."""

from coabench.hookspecs import hookimpl
from coabench.notebook import load_records, load_runs

__version__ = "0.1.0"
__all__ = ["__version__", "hookimpl", "load_records", "load_runs"]
