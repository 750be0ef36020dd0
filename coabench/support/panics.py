"""What libraries written in Rust do with input that they did not foresee: they panic, with what is no `Exception`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.errors import first_line


@contextmanager
def panics_caught() -> Iterator[None]:
    """Raise a `RuntimeError` where a Rust library panics; tokenizers does, for some files that are damaged."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as panic:
        raise RuntimeError(first_line(panic)) from None
