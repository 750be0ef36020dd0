"""The plan of a stress: every condition checked as ``coabench evaluate`` checks its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from coabench.base.reading import exists, is_folder
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.dataset import Sample
from coabench.errors import CoabenchError, SampleError, UserError, first_line
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.inference.engine import rehearse
from coabench.inference.loading import read_image
from coabench.registry.blame import contained
from coabench.registry.rewrites import OPTION as REWRITE
from coabench.registry.transforms import OPTION as TRANSFORM
from coabench.robustness.conditions import CLEAN, Condition
from coabench.robustness.folder import FILE, LeftOut, StressFolder
from coabench.robustness.suites import Suite
from coabench.sweep.evaluations import described
from coabench.sweep.jobs import EVALUATE
from coabench.sweep.plan import refused
from coabench.sweep.planned import Planned, share_looks
from coabench.sweep.settings import SET
from coabench.sweep.sheet import Resources

TRIED = 3
"""So many images are tried: a transform that can make nothing of any of them can make nothing of these data."""


@dataclass(frozen=True)
class StressPlan:
    """All runs of a stress, the clean one first.

    Attributes:
        folder: its folder, which may not exist yet.
        runs: one for each of the folder's conditions, in order.
    """

    folder: StressFolder
    runs: Sequence[Planned]

    def left(self, jobs: int = 1) -> list[Planned]:
        """Return the jobs that are to be done: runs that are not complete, those together that share their looks.

        Args:
            jobs: how many are done at a time: the runs of one look are shared out among so many.
        """
        return share_looks([run for run in self.runs if run.state.status != COMPLETE], jobs)

    @property
    def notes(self) -> list[str]:
        """What the user should know, each once; that the changed runs are variants is not said of each."""
        changed = [note for run in self.runs[1:] for note in run.notes if TRANSFORM not in note and REWRITE not in note]
        return list(dict.fromkeys([*self.runs[0].notes, *changed]))


def make_plan(request: Evaluation, suite: Suite, output: Path) -> StressPlan:
    """Check every condition of a suite and return the plan; writes nothing and loads no weights.

    Conditions of a suite that ships which these data or this strategy forbid are left out, with the reason.

    Args:
        request: the clean run; its output does not count.

    Raises:
        UserError: the clean run cannot be done, or a condition of the user's own suite: all of them are named, each
            with its problem; or the output holds something else.
    """
    plan = check(_request(request, output, Condition(CLEAN, CLEAN)))
    questions = rehearse(plan.strategy, plan.task(plan.samples[0]), plan.decode)
    conditions = suite.conditions(max((len(question.options) for question in questions), default=0))
    _check_output(output, suite, conditions)
    tried = _usable(plan.samples)
    runs: list[Planned] = []
    kept: list[Condition] = []
    left_out: list[LeftOut] = []
    problems: dict[str, list[str]] = {}
    for condition in conditions:
        try:
            with contained():
                runs.append(_planned(_request(request, output, condition), condition, tried))
            kept.append(condition)
        except CoabenchError as error:
            if condition.name == CLEAN:
                raise
            left_out.append(LeftOut(condition.name, first_line(error.problem)))
            problems.setdefault(str(error), []).append(condition.name)
    if problems and suite.own:
        remedy = "correct these conditions, or leave them out of the suite"
        raise refused(suite.path, problems, plural(len(conditions) - 1, "condition"), remedy)
    return StressPlan(StressFolder(output, suite.name, tuple(kept), tuple(left_out)), runs)


def _check_output(output: Path, suite: Suite, conditions: Sequence[Condition]) -> None:
    """Refuse a folder that holds something else than this stress, or a part of it. Of its runs, each says so itself."""
    if not exists(output):
        return
    if not is_folder(output):
        raise UserError(f"the output {output} is a file", expected="a folder", remedy="choose another --output")
    names = {condition.name for condition in conditions}
    if exists(output / FILE):
        held = StressFolder.read(output)
        if missing := [condition.name for condition in held.conditions if condition.name not in names]:
            raise UserError(
                f"{output} holds a stress of the suite {held.suite!r}, of which {suite.name!r} lacks conditions",
                found=", ".join(missing[:5]) + (" …" if len(missing) > 5 else ""),
                remedy="choose another --output, or a suite that has them too",
            )
    elif strangers := sorted(path.name for path in output.iterdir() if path.name not in names):
        raise UserError(
            f"the output directory {output} holds no stress",
            expected="a new or empty folder, or the folder of a stress",
            found=", ".join(strangers[:5]),
            remedy="choose another --output",
        )


def _request(request: Evaluation, output: Path, condition: Condition) -> Evaluation:
    """Return what ``coabench evaluate`` does in a condition, with the command line that would do the same."""
    settings: dict[str, Any] = {name: getattr(request, name) for name in EVALUATE.options.kinds if name != SET}
    settings |= {"transform": condition.transform, "rewrite": condition.rewrite, SET: dict(request.options or {})}
    return EVALUATE.request_of(settings, output / condition.name)


def _usable(samples: Sequence[Sample]) -> set[str]:
    """Return the ids of the first samples whose images can be used as they are."""

    def readable(sample: Sample) -> bool:
        try:
            read_image(sample.image)
        except SampleError:
            return False
        return True

    return {sample.id for sample in islice(filter(readable, samples[: 10 * TRIED]), TRIED)}


def _planned(request: Evaluation, condition: Condition, tried: set[str]) -> Planned:
    plan = check(request)
    if condition.transform:
        _try(plan, tried)
    assert request.output is not None
    EVALUATE.state(request.output, plan.identity)  # for what it refuses
    return Planned.of({"condition": condition.name}, request, described(plan, request), Resources())


def _try(plan: Plan, tried: set[str]) -> None:
    """Raise `SampleError` where nothing can be made of any of these images, as without landmarks."""
    problem: SampleError | None = None
    for sample in plan.samples[: 10 * TRIED]:
        if sample.id in tried:
            try:
                read_image(sample.image)
            except SampleError as error:
                problem = error
            else:
                return
    if problem is not None:
        raise problem
