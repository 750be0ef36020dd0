"""coabench: measure vision-language models on compound facial expression recognition."""

from coabench.hookspecs import hookimpl

__version__ = "0.1.0"
__all__ = ["__version__", "hookimpl"]
