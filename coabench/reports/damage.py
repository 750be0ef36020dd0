"""Files of another shape than expected, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coabench.errors import CoabenchError, UserError


@contextmanager
def damage_reported(what: str) -> Iterator[None]:
    """Turn what JSON of another shape leads to into a message: a field is missing, or of another kind."""
    try:
        yield
    except CoabenchError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(
            f"{what} is damaged",
            found=f"{type(error).__name__}: {error}",
            remedy="restore it, or run again with --overwrite",
        ) from error
