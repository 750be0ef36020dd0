"""Importing a detector's package, with a clear word where that fails."""

from __future__ import annotations

import importlib
from typing import Any

from coabench.base.packages import reinstalling
from coabench.errors import UserError


def load(module: str, install: str) -> Any:
    """Import and return a package; `UserError` with the command that installs it where it is missing or broken."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # a compiled package that does not fit another raises any
        raise UserError(
            f"the package {module.partition('.')[0]!r} cannot be imported",
            found=f"{type(error).__name__}: {error}",
            remedy=f"{reinstalling(error) or install}, or choose another --detector",
        ) from error
