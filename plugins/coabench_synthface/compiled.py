"""Compiling a function with numba, in a way that type checkers can follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile *function* to machine code when it is first called; the result is kept on disk for the next process.

    Without ``fastmath``: additions keep their order, so that the same seed gives the same picture.
    """
    return cast("F", numba.njit(cache=True)(function))
