"""What a training shows on stderr: a bar where there is a terminal, lines where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from coabench.base.text import safe
from coabench.training.job import Progress

EVERY = 10.0
"""Seconds between lines where stderr is no terminal."""


class TrainingTerminal(Progress):
    """Steps, loss, dev UAR and the time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar: Bar | None = None
        self._told = 0.0

    @contextmanager
    def start(self, steps: int) -> Iterator[None]:
        """Show progress over so many steps."""
        if not self._console.is_terminal:
            yield
            return
        columns = [BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"), TimeElapsedColumn()]
        with Bar(*columns, console=self._console) as self._bar:
            self._task = self._bar.add_task("", total=steps, text="")
            yield
        self._bar = None

    def log(self, line: Mapping[str, Any]) -> None:
        """Show a line of the log; evaluations always, losses now and then."""
        left = "" if line["left"] is None else f"  {line['left']:.0f} s left"
        if "uar" in line:
            scores = "  ".join(f"{name} {value:.1%}" for name, value in line.items() if name.startswith("uar "))
            self.note(f"step {line['step']}  dev UAR {line['uar']:.1%}  invalid {line['invalid']:.1%}  ({scores})")
        elif self._bar is not None:
            text = f"loss {line['loss']:.4f}{left}"
            self._bar.update(self._task, completed=line["step"], text=text)
        elif time.monotonic() - self._told > EVERY or line["step"] == line["steps"]:
            self._told = time.monotonic()
            print(f"step {line['step']}/{line['steps']}  loss {line['loss']:.4f}{left}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Show a sentence."""
        self._console.print(safe(text, 400), soft_wrap=True)
