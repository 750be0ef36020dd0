"""Signals that ask the process to end: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a terminal that closes.

The command line turns the first one into a `KeyboardInterrupt` in the main thread; whoever meets that, or whatever
error it became on its way, asks here which signal it was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Windows has no SIGHUP."""
NAMES = {signal.SIGINT: "Ctrl-C"}

_received: signal.Signals | None = None
_listening = False


def received() -> signal.Signals | None:
    """Return the signal that asked this process to end; None where none came, or nobody listens for them."""
    return _received


def cause() -> str:
    """Return what interrupted the process: ``Ctrl-C``, ``SIGTERM``, ``SIGHUP``; in words where no signal was seen."""
    return NAMES.get(_received, _received.name) if _received else "an interrupt"


def exit_code() -> int:
    """Return how a process that was interrupted ends, as shells have it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_received or signal.SIGINT)


def is_interrupt(error: BaseException | None) -> bool:
    """Whether the user's interrupt is, or led to, an error; code that raises `KeyboardInterrupt` itself is no user.

    Where nobody listens for signals any `KeyboardInterrupt` may be the user's, unless Ctrl-C is ignored.
    """
    if _listening:
        return _received is not None
    while error is not None and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the main thread at the first signal that asks to end.

    After it a second Ctrl-C ends the process at once, and other signals are ignored: ``timeout`` and batch systems send
    theirs several times, and what is being written is to be written to its end. A signal that is ignored (``nohup``)
    or that somebody else handles stays so. In other threads than the main one this does nothing.
    """
    global _received, _listening
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: handler for number in ENDING if (handler := signal.getsignal(number)) in usual}

    def interrupt(number: int, _: object) -> None:
        global _received
        _received = signal.Signals(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL if each == signal.SIGINT else signal.SIG_IGN)
        raise KeyboardInterrupt

    _received, _listening = None, True
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received, _listening = None, False


def leave_to_parent() -> None:
    """Have a process of a pool end with its parent, and not before: it ignores Ctrl-C, which its parent gets as well.

    Those of a `ProcessPoolExecutor` would wait for ever where their parent was killed.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextmanager
def kept() -> Iterator[None]:
    """Put back in the end whatever handles these signals, where a library means to; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: not of Python
                signal.signal(number, handler)


@contextmanager
def ignoring() -> Iterator[None]:
    """Ignore these signals for a while; only the main thread can."""
    with kept():
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
        yield
