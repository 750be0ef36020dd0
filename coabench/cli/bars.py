"""How far a job is: a bar in a terminal, a bar in a notebook, or a line now and then where there is neither."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from markupsafe import Markup
from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

from coabench.base.text import safe

REFRESH = 0.2
"""Seconds between two looks of a bar in a notebook."""


class Bar(Protocol):
    """What shows how far a job is."""

    def update(self, done: int, line: str, last: bool, **fields: Any) -> None:
        """Show that so many are done.

        Args:
            line: in words.
            last: whether it is the last time.
            fields: what the columns of a terminal's bar show.
        """
        ...


@contextmanager
def opened(
    console: Console, total: int, done: int, every: float, columns: Sequence[ProgressColumn], **fields: Any
) -> Iterator[Bar]:
    """Show a bar where *console* leads; *done* of *total* are done already.

    Args:
        every: seconds between two lines, where there is no bar.
        columns: of a bar in a terminal, with their *fields*.
    """
    if console.is_terminal:
        with Progress(*columns, console=console) as progress:
            yield _TerminalBar(progress, progress.add_task("", total=total, completed=done, **fields))
    elif console.is_jupyter:
        bar = _NotebookBar(total, done)
        try:
            yield bar
        finally:
            bar.show()
    else:
        yield _Lines(every)


class _TerminalBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def update(self, done: int, line: str, last: bool, **fields: Any) -> None:
        self._progress.update(self._task, completed=done, **fields)


class _NotebookBar:
    """An output of the cell, changed in place; the bar of rich would need ipywidgets."""

    def __init__(self, total: int, done: int) -> None:
        from IPython.display import display

        self._total, self._done, self._line = total, done, f"{done}/{total}"
        self._handle = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._shown = time.monotonic()

    def update(self, done: int, line: str, last: bool, **fields: Any) -> None:
        self._done, self._line = done, line
        if last or time.monotonic() - self._shown > REFRESH:
            self.show()

    def show(self) -> None:
        """Show the newest state."""
        self._shown = time.monotonic()
        self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        line = safe(self._line)
        html = Markup('<progress value="{}" max="{}"></progress> {}').format(self._done, self._total, line)
        return {"text/plain": line, "text/html": str(html)}


class _Lines:
    def __init__(self, every: float) -> None:
        self._every, self._printed = every, time.monotonic()

    def update(self, done: int, line: str, last: bool, **fields: Any) -> None:
        if last or time.monotonic() - self._printed > self._every:
            self._printed = time.monotonic()
            with suppress(OSError):
                print(line, file=sys.stderr, flush=True)
