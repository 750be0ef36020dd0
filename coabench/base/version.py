"""The version of coabench."""

__version__ = "0.1.0"
