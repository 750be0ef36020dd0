"""Checks of an executor of sweeps: every run ends once, failures are endings, and closing it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.registry.detectors import unavailable
from coabench.registry.registrations import Registration
from coabench.sweep.executor import Ending, Executor, ExecutorRequest
from coabench.sweep.plan import make_plan
from coabench.sweep.planned import Planned
from coabench.sweep.sheet import read_sheet
from coabench.testing.check import Check, Checks
from coabench.testing.defects import executors as defects
from coabench.testing.findings import Finding
from coabench.testing.pictures import draw_face
from coabench.testing.runs import tiny_run
from coabench.testing.scripted import ScriptedBackbone

FACES = ("Happiness", "Sadness")
QUIET = 1.0
"""Seconds in which nothing more may be written once it was closed."""


def check(
    executor: str | Registration | Callable[[ExecutorRequest], Executor],
    *,
    assignments: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check an executor and return what is wrong with it. It carries out up to six runs, of four drawn faces each.

    Args:
        executor: the name it is registered under, its registration, or the target itself.
        assignments: its parameters, as typed.
    """
    return _Checks(executor, assignments).result()


class _Checks(Checks):
    kind, part, remedy = "executors", "executor", "install what is missing"

    def checks(self) -> Iterator[Check]:
        if problem := unavailable(self.registration):
            raise UserError(problem.reason, remedy=problem.remedy)
        self.factory = self.load()
        self.read_options(getattr(self.factory, "Options", Executor.Options))
        with TemporaryDirectory(prefix="coabench-") as folder:
            self.runs = planned(Path(folder), 6)
            yield from (self.all_end, self.stops)

    def make(self) -> Executor:
        made: Executor = self.attempt(
            defects.NO_EXECUTOR, self.factory, ExecutorRequest(self.defaults), allowed=UserError
        )
        self.need_methods(defects.NO_EXECUTOR, made, "check", "execute")
        return made

    def all_end(self) -> None:
        """Carry out two runs that work and between them one that cannot be done."""
        executor, runs = self.make(), self.runs[:3]
        identity = replace(runs[1].identity, seed=99)  # not what its request asks for, as the worker will find
        runs = [runs[0], replace(runs[1], identity=identity), runs[2]]
        problems: dict[Path, list[str | None]] = {run.directory: [] for run in runs}
        for ending in self.attempt(defects.FAILS, self.carried_out, executor, runs):
            known = isinstance(ending, Ending) and ending.run in runs
            if not known or not isinstance(ending.problem, str | None):
                self.fail(defects.NO_ENDING, repr(ending)[:200])
            problems[ending.run.directory].append(ending.problem)
        counts = [len(each) for each in problems.values()]
        self.need(counts == [1, 1, 1], defects.NOT_ONCE, f"the endings of three runs: {counts}")
        for run, ended in zip(runs, problems.values(), strict=True):
            failed, fails = any(ended), run is runs[1]
            self.need(failed == fails or not ended, defects.HIDES, f"{run.label}: {ended}"[:300])
            done = run.state.status == COMPLETE
            self.need(failed or fails or done or not ended, defects.NOT_DONE, run.label)

    def carried_out(self, executor: Executor, runs: Sequence[Planned]) -> list[Any]:
        executor.check(runs)
        return [ending for ending in executor.execute(runs) if ending is not None]

    def stops(self) -> None:
        """Close it as soon as it yields, and see whether anything is written afterwards."""
        executor, runs = self.make(), self.runs[3:]
        executor.check(runs)
        endings = executor.execute(runs)
        self.attempt(defects.FAILS, next, endings, None)
        self.attempt(defects.FAILS, endings.close)
        before = _sizes(runs)
        time.sleep(QUIET)
        self.need(_sizes(runs) == before, defects.GOES_ON)


def planned(folder: Path, count: int) -> list[Planned]:
    """Return runs that any process can carry out in a second: the answers of a run on drawn faces are replayed."""
    faces = folder / "faces"
    for emotion in FACES:
        (faces / emotion).mkdir(parents=True)
        for person in range(2):
            draw_face(emotion, person).save(faces / emotion / f"{person}.png")
    tiny_run(folder / "asked", dataset=str(faces), backbone=ScriptedBackbone())
    sheet = folder / "sheet.yaml"
    seeds = ", ".join(map(str, range(count)))
    sheet.write_text(
        f"schema: 1\noutput: '{folder / 'runs'}'\n"
        f"defaults: {{backbone: 'replay:{folder / 'asked'}', strategy: direct, dataset: '{faces}'}}\n"
        f"axes: {{seed: [{seeds}]}}\n",
        encoding="utf-8",
    )
    return list(make_plan(read_sheet(sheet)).runs)


def _sizes(runs: Sequence[Planned]) -> dict[Path, int]:
    return {file: file.stat().st_size for run in runs for file in run.directory.glob("*") if file.is_file()}
