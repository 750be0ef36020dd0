"""A package that is missing or cannot be imported: which one it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import packages_distributions
from traceback import walk_tb

from coabench.errors import JobError, with_type

OURS = "coabench"
"""What the names of our own packages begin with."""


def unusable_package(error: BaseException) -> JobError | None:
    """Return an error in words where the import of a package that is not ours raised *error*; else None."""
    package = _package(error)
    if package is None:
        return None
    return JobError(
        f"the package {package!r} cannot be imported",
        found=with_type(error),
        remedy=reinstalling(error) or "`coabench doctor` says what is missing or broken here, and how to install it",
    )


def reinstalling(error: BaseException) -> str | None:
    """Return the command that installs the package anew whose import raised *error*; None where it is not installed."""
    distributions = packages_distributions().get(_package(error) or "")
    return f"pip install --force-reinstall {distributions[0]}" if distributions else None


def _package(error: BaseException | None) -> str | None:
    """Return the package, not one of ours, whose import raised an error or its cause."""
    while error is not None:
        named = [error.name] if isinstance(error, ImportError) and error.name else []
        for module in (*named, *reversed([*_importing(error)])):
            package = module.partition(".")[0]
            if not package.startswith(OURS):
                return package
        error = error.__cause__
    return None


def _importing(error: BaseException) -> Iterator[str]:
    """Yield the modules that were being imported when an error was raised, the innermost last."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == "<module>":
            yield str(frame.f_globals.get("__name__", ""))
