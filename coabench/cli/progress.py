"""What jobs show on stderr, or in a notebook: notes, and how far they are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from coabench.base.text import plural, safe
from coabench.cli.bars import Bar, opened
from coabench.prediction.progress import PredictionProgress
from coabench.training.progress import TrainingProgress

if TYPE_CHECKING:
    from coabench.prediction.answer import FacePrediction
    from coabench.sweep.job import Result
    from coabench.sweep.kind import Kind


class Terminal:
    """Notes, and a bar, or a line every so many seconds where there is no place for one; a subclass per kind of job."""

    every = 30.0

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar: Bar | None = None
        self._total = self._done_before = 0
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        """Show a line; a stderr that cannot be written (a full disk, a terminal that is gone) ends no job."""
        with suppress(OSError):
            self._console.print(safe(text), soft_wrap=True)

    @contextmanager
    def _shown(self, total: int, done: int, columns: Sequence[ProgressColumn], **fields: Any) -> Iterator[None]:
        """Show a bar with these columns, whose *fields* change with `_update`; *done* are done already."""
        self._total, self._done_before = total, done
        self._started = time.monotonic()
        with opened(self._console, total, done, self.every, columns, **fields) as self._bar:
            yield
        self._bar = None

    def _update(self, done: int, line: str, *, last: bool = False, **fields: Any) -> None:
        """Move the bar; without one, print the line where it is time for one, or it is the last."""
        if self._bar is not None:
            self._bar.update(done, line, last, **fields)

    def _speed(self, done: int) -> float:
        """Return how many were done a second; a training that resumes goes back to its checkpoint."""
        return max(0, done - self._done_before) / max(time.monotonic() - self._started, 1e-9)


class RunTerminal(Terminal):
    """Samples of a run, with the running UAR."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()

    @contextmanager
    def start(self, total: int, done: Collection[Mapping[str, Any]]) -> Iterator[None]:
        """Show progress over *total* samples, of which the records *done* are there already."""
        if done:
            self.note(f"continuing after {len(done)} of {plural(total, 'record')}")
        self._count(done)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("UAR {task.fields[uar]}"), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        with self._shown(total, len(done), columns, uar=self.uar):
            yield

    def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Count the records of a batch."""
        self._count(records)
        done, total = self._samples.total(), self._total
        speed = self._speed(done)
        left = (total - done) / speed if speed else 0.0
        line = f"{done}/{total}  UAR {self.uar}  {speed:.2f} images/s  {left:.0f} s left"
        self._update(done, line, last=done == total, uar=self.uar)

    @property
    def uar(self) -> str:
        """The mean recall over the classes seen so far."""
        recalls = [self._hits[label] / n for label, n in self._samples.items()]
        return f"{sum(recalls) / len(recalls):.1%}" if recalls else "…"

    def _count(self, records: Collection[Mapping[str, Any]]) -> None:
        for record in records:
            self._samples[record["target"]] += 1
            self._hits[record["target"]] += record["prediction"] == record["target"]


class PredictionTerminal(Terminal, PredictionProgress):
    """Pictures that were answered about, and the faces in them."""

    @contextmanager
    def start(self, total: int) -> Iterator[None]:
        """Show progress over so many pictures and films."""
        self._faces = 0
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[faces]} faces"), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        with self._shown(total, 0, columns, faces=0):
            yield
            self._update(
                total, f"{total:,}/{plural(total, 'file')}, {plural(self._faces, 'face')}", last=True, faces=self._faces
            )

    def advance(self, done: int, said: Sequence[FacePrediction]) -> None:
        """Count the faces in a picture."""
        self._faces += sum(each.face > 0 for each in said)
        line = f"{done:,}/{plural(self._total, 'file')}, {plural(self._faces, 'face')}  {self._speed(done):.2f} files/s"
        self._update(done, line, faces=self._faces)


class ExplainTerminal(Terminal):
    """Looks at images of which a part is covered."""

    @contextmanager
    def start(self, total: int) -> Iterator[None]:
        """Show progress over so many looks."""
        self._done = 0
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with self._shown(total, 0, columns):
            yield

    def advance(self, looks: int) -> None:
        """Count looks."""
        self._done += looks
        line = f"{self._done:,}/{self._total:,} looks  {self._speed(self._done):.1f} looks/s"
        self._update(self._done, line, last=self._done == self._total)


class TrainingTerminal(Terminal, TrainingProgress):
    """Steps of a training, with loss or reward, dev UAR and the time left."""

    every = 10.0

    @contextmanager
    def start(self, steps: int) -> Iterator[None]:
        """Show progress over so many steps."""
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"), TimeElapsedColumn())
        with self._shown(steps, 0, columns, text=""):
            yield

    def log(self, line: Mapping[str, Any]) -> None:
        """Show a line of the log; evaluations always, losses or rewards now and then."""
        step, steps = line["step"], line["steps"]
        if "uar" in line:
            scores = "  ".join(f"{name} {value:.1%}" for name, value in line.items() if name.startswith("uar "))
            self.note(f"step {step}  dev UAR {line['uar']:.1%}  invalid {line['invalid']:.1%}  ({scores})")
        else:
            text = f"reward {line['reward']:.3f}" if "reward" in line else f"loss {line['loss']:.4f}"
            text += "" if line["left"] is None else f"  {line['left']:.0f} s left"
            self._update(step, f"step {step}/{steps}  {text}", last=step == steps, text=text)


class SweepTerminal(Terminal):
    """Samples or steps of all runs of a sweep together, and a line for every run that ends."""

    @contextmanager
    def start(self, kind: Kind, runs: int, size: int, done: int) -> Iterator[None]:
        """Show progress over the samples or steps of some runs."""
        self._kind, self._runs, self._ended = kind, runs, 0
        sizes = plural(size, kind.unit) + (f", {done:,} of them done" if done else "")
        self.note(f"{plural(runs, kind.job)} to do, {sizes}")
        columns = (TextColumn("run {task.fields[run]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        with self._shown(size, done, columns, run=f"1 of {runs}"):
            yield

    def advance(self, done: int) -> None:
        """Show that so many samples or steps are done."""
        speed = self._speed(done)
        left = f", {(self._total - done) / speed:.0f} s left" if speed > 0 else ""
        runs, unit = f"{self._ended} of {plural(self._runs, self._kind.job)}", self._kind.unit
        line = f"{runs}, {done:,}/{plural(self._total, unit)}  {speed:.2f} {unit}s/s{left}"
        self._update(done, line, run=f"{min(self._ended + 1, self._runs)} of {self._runs}")

    def ended(self, result: Result) -> None:
        """Show how a run ended."""
        self._ended += 1
        head = f"[{self._ended}/{self._runs}] {result.run.label}: {result.status}"
        if result.outcome.uar.value is not None:
            from coabench.metrics.headline import UAR

            head += f", {result.run.kind.uar} {UAR.with_interval(result.outcome.uar)}"
        self.note(head)
        for line in (result.problem or "").splitlines():
            self.note(f"    {line}")
