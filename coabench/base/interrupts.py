"""The user's Ctrl-C, and a ``raise KeyboardInterrupt`` of somebody's code, kept apart.

Python raises the same error for both, in whatever code happens to run. A handler of our own leaves its mark on the
user's: it is the frame that raised it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise `KeyboardInterrupt`: the signal handler of SIGINT, and of whatever else is to end a job like Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def recognised_interrupts() -> Iterator[None]:
    """Let `is_interrupt` recognise the user's Ctrl-C; where SIGINT is ignored or handled otherwise, leave it so."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_interrupt(error: BaseException | None) -> bool:
    """Whether the user's interrupt is, or led to, an error.

    Under another handler than ours any `KeyboardInterrupt` may be it; where SIGINT is ignored, none.
    """
    recognised = signal.getsignal(signal.SIGINT) in (interrupt, signal.SIG_IGN)
    while error is not None:
        if isinstance(error, KeyboardInterrupt) and (not recognised or _raised_by_handler(error.__traceback__)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _raised_by_handler(trace: TracebackType | None) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is interrupt.__code__
