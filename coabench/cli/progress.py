"""What a run shows on stderr: a bar where there is a terminal, a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coabench.base.text import safe

EVERY = 30.0
"""Seconds between lines where stderr is no terminal."""


class Terminal:
    """Progress with ETA and the running UAR."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._seen: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()
        self._bar: Progress | None = None
        self._total = self._count = self._first = 0
        self._began = self._told = time.monotonic()

    @contextmanager
    def start(self, total: int, done: Collection[Mapping[str, Any]]) -> Iterator[None]:
        """Show progress over *total* samples, of which the records *done* are there already."""
        self._total, self._first = total, len(done)
        self._began = self._told = time.monotonic()
        if self._first:
            self.note(f"going on after {len(done)} of {total} records")
        if not self._console.is_terminal:
            self._tally(done)
            yield
            return
        columns = [BarColumn(), MofNCompleteColumn(), TextColumn("UAR {task.fields[uar]}"), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn()]  # fmt: skip
        with Progress(*columns, console=self._console) as self._bar:
            self._task = self._bar.add_task("", total=total, completed=len(done), uar="…")
            self._tally(done)
            yield

    def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Count the records of a batch."""
        self._tally(records)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count, uar=self.uar)
        elif time.monotonic() - self._told > EVERY or self._count == self._total:
            self._told = time.monotonic()
            speed = (self._count - self._first) / max(self._told - self._began, 1e-9)
            left = (self._total - self._count) / speed if speed else 0.0
            text = f"{self._count}/{self._total}  UAR {self.uar}  {speed:.2f} images/s  {left:.0f} s left"
            print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Show a line."""
        self._console.print(safe(text), soft_wrap=True)

    @property
    def uar(self) -> str:
        """The mean recall over the classes seen so far."""
        recalls = [self._hits[label] / n for label, n in self._seen.items()]
        return f"{sum(recalls) / len(recalls):.1%}" if recalls else "…"

    def _tally(self, records: Collection[Mapping[str, Any]]) -> None:
        for record in records:
            self._count += 1
            self._seen[record["target"]] += 1
            self._hits[record["target"]] += record["prediction"] == record["target"]
