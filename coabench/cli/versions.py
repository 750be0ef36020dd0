"""The line that says that packages are newer than was tested: once for every set of versions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

KEY = "newer than tested"


def checks_versions(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that runs a model say first which packages are newer than was tested."""

    @wraps(command)
    def checked(*arguments: Any, **options: Any) -> None:
        from coabench.base.processes import World

        if World.from_environment().first and (line := _line()):
            click.echo(line, err=True)
        command(*arguments, **options)

    return checked


def _line() -> str | None:
    """Return the line; None where nothing is newer, or this user has read it."""
    from coabench.base import cache
    from coabench.base.requirements import newer_than_tested

    newer = newer_than_tested()
    if not newer or cache.recall(KEY, []) == newer:
        return None
    cache.remember(KEY, [], newer)
    return (
        f"newer than was tested: {', '.join(newer)}; should anything fail, pip install 'coabench[tested]' "
        "brings the versions that were (shown once)"
    )
