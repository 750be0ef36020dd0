"""Functions that do not return, each in its own way."""

import atexit
import os
import signal
import sys
import time


def double(number: int) -> int:
    print("noise")
    return 2 * number


def crash() -> None:
    print("loading the library", file=sys.stderr, flush=True)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    print("opening the device", file=sys.stderr, flush=True)
    time.sleep(600)


def fail() -> None:
    raise ValueError("no luck")


def leave() -> None:
    os._exit(0)


def babble() -> None:
    atexit.register(print, "and goodbye")
