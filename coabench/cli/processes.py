"""Jobs that are interrupted, or that torchrun spreads over processes, of which the first alone talks to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from coabench.base import signals
from coabench.errors import CoabenchError


@contextmanager
def first_process(continues: str) -> Iterator[bool]:
    """Yield whether this is the first process; the others end silently, with the same exit code.

    Args:
        continues: what is printed after an interruption: how the job continues.
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
        raise SystemExit(say_interrupted(continues) if first else signals.exit_code()) from None


def say_interrupted(continues: str = "") -> int:
    """Say what interrupted the command, and how it continues; return the exit code."""
    what = "interrupted" if signals.exit_code() == 130 else f"stopped by {signals.cause()}"
    with suppress(OSError):  # SIGHUP comes where the terminal is gone
        click.echo(f"\n{what}: {continues}" if continues else f"\n{what}", err=True)
    return signals.exit_code()
