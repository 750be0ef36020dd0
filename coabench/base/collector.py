"""Python's collector of reference cycles, kept from work that frees nothing: where much is imported, and at the end."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Let the collector rest, as in an import: torch makes 170,000 objects that stay, and all were looked at again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def leave_memory_to_the_system() -> None:
    """Let a process end without looking for cycles in what its end frees anyway: with torch, a quarter of a second."""
    atexit.register(gc.freeze)
