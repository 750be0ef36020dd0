"""A measurement within a budget of time: parts have shares, what does not fit is skipped, all that is known is kept.

A part gets its share of the time that is left, so what one saves is the others'. Whatever ends a case, a failure or
the end of its part's time, the next one runs. Rows are reported as they come.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

GRACE = 15.0
"""Seconds after the end of the budget at which a process that hangs, in code that hears no signal, is ended."""

Row = dict[str, Any]
"""``part``, ``case``, ``status`` (ok, failed, skipped), ``seconds``; the figures, or ``reason``."""


class Skipped(Exception):
    """Raised by a case that cannot be measured here; says why."""


class _TimeIsUp(BaseException):
    """The part's time has ended; nothing that catches errors may catch it."""


@dataclass(frozen=True)
class Case:
    """One row: a name, and what measures its figures. What several cases need is made by the first that needs it.

    Attributes:
        like: the name of an earlier case of the part that took no longer than this one will.
    """

    name: str
    measure: Callable[[], Mapping[str, Any]]
    like: str | None = None


@dataclass(frozen=True)
class Part:
    """Cases in the order of their worth, and their share of the time, beside those of other parts."""

    name: str
    share: float
    cases: Sequence[Case]


class Budget:
    """Carries out parts until an end.

    Args:
        end: on the clock of `time.perf_counter`.
        report: called with all rows so far, whenever there is another.
        tidy: called after each case.
    """

    def __init__(self, end: float, report: Callable[[Sequence[Row]], None], tidy: Callable[[], None]) -> None:
        self.rows: list[Row] = []
        self._end, self._report, self._tidy = end, report, tidy
        self._running: Row | None = None

    def carry_out(self, parts: Sequence[Part]) -> None:
        """Measure all cases that fit."""
        watchdog = threading.Timer(max(0.0, self._end + GRACE - time.perf_counter()), self._end_process)
        watchdog.daemon = True
        watchdog.start()
        for index, part in enumerate(parts):
            begun = time.perf_counter()
            share = part.share / sum(each.share for each in parts[index:])
            self._carry_out(part, begun + max(0.0, self._end - begun) * share)
        watchdog.cancel()

    def _carry_out(self, part: Part, end: float) -> None:
        taken: dict[str | None, float] = {}
        for case in part.cases:
            begun = time.perf_counter()
            left = end - begun
            row: Row = {"part": part.name, "case": case.name}
            if left <= (needed := taken.get(case.like, 0.0)):
                took = f"it takes longer than the {needed:.0f} s of a smaller one, and " if needed else ""
                row |= {"status": "skipped", "seconds": 0.0, "reason": f"{took}{max(0.0, left):.0f} s are left"}
            else:
                self._running = row
                row |= _measured(case, end)
                taken[case.name] = row["seconds"] = round(time.perf_counter() - begun, 2)
                self._running = None
                self._tidy()
            self.rows.append(row)
            self._report(self.rows)

    def _end_process(self) -> None:
        hanging = [{**self._running, "status": "failed", "reason": "hung"}] if self._running else []
        self._report([*self.rows, *hanging])
        os._exit(1)


def _measured(case: Case, end: float) -> Row:
    """Return the figures of a case, or why there are none."""
    begun = time.perf_counter()
    try:
        with _interrupted(end):
            return {"status": "ok", **case.measure()}
    except _TimeIsUp:
        return {"status": "skipped", "reason": f"cut off after {time.perf_counter() - begun:.0f} s: its time was up"}
    except Skipped as reason:
        return {"status": "skipped", "reason": str(reason)}
    except Exception as error:
        lines = str(error).splitlines() or [""]
        where = traceback.format_exception(error)[-4:]
        return {"status": "failed", "reason": f"{type(error).__name__}: {lines[0]}", "traceback": "".join(where)}


@contextmanager
def _interrupted(end: float) -> Iterator[None]:
    """Raise `_TimeIsUp` in the main thread at a time, where the system has timers for that."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, end - time.perf_counter()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
