"""Jobs that torchrun may spread over several processes, of which the first alone talks to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from coabench.errors import CoabenchError


@contextmanager
def first_process(interrupted: str) -> Iterator[bool]:
    """Yield whether this is the first process; the others end silently, with the same exit code.

    Args:
        interrupted: what is printed after an interrupt: how the job continues.
    """
    from coabench.base.processes import World

    first = World.from_environment().first
    try:
        yield first
    except CoabenchError as error:
        if first:
            raise
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        if first:
            click.echo(f"\ninterrupted: {interrupted}", err=True)
        raise SystemExit(130) from None
