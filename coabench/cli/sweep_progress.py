"""What a sweep shows on stderr: a bar over all samples where there is a terminal, a line for every run that ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coabench.base.text import safe
from coabench.cli.progress import EVERY

if TYPE_CHECKING:
    from coabench.sweep.job import Result


class SweepTerminal:
    """Progress with ETA over all runs together."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar: Progress | None = None
        self._runs = self._ended = self._samples = self._first = 0
        self._began = self._told = time.monotonic()

    @contextmanager
    def start(self, runs: int, samples: int, done: int) -> Iterator[None]:
        """Show progress over the samples of some runs."""
        self._runs, self._samples, self._first = runs, samples, done
        self._began = self._told = time.monotonic()
        self.note(f"{runs} runs to do, {samples:,} samples" + (f", {done:,} of them done" if done else ""))
        if not self._console.is_terminal:
            yield
            return
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn()]  # fmt: skip
        with Progress(*columns, console=self._console) as self._bar:
            self._task = self._bar.add_task(f"run 1 of {runs}", total=samples, completed=done)
            yield

    def advance(self, done: int) -> None:
        """So many samples are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
        elif time.monotonic() - self._told > EVERY:
            self._told = time.monotonic()
            speed = (done - self._first) / max(self._told - self._began, 1e-9)
            left = f", {(self._samples - done) / speed:.0f} s left" if speed > 0 else ""
            text = (
                f"{self._ended} of {self._runs} runs, {done:,}/{self._samples:,} samples  {speed:.2f} samples/s{left}"
            )
            print(text, file=sys.stderr, flush=True)

    def ended(self, result: Result) -> None:
        """Say what became of a run."""
        self._ended += 1
        if self._bar is not None:
            ahead = min(self._ended + 1, self._runs)
            self._bar.update(self._task, description=f"run {ahead} of {self._runs}")
        head = f"[{self._ended}/{self._runs}] {result.run.label}: {result.status}"
        if result.metrics is not None:
            low, high = result.metrics["uar_interval"]
            head += f", UAR {result.metrics['uar']:.2%} ({low:.1%} to {high:.1%})"
        self.note(head)
        for line in (result.problem or "").splitlines():
            self.note(f"    {line}")

    def note(self, text: str) -> None:
        """Show a line."""
        self._console.print(safe(text), soft_wrap=True)
