"""The plan of a sweep: every run checked as ``coabench evaluate`` checks it, equal ones once, each with its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coabench.base.reading import exists, is_folder
from coabench.base.text import last_part
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.inference.engine import rehearse
from coabench.inference.loading import read_image
from coabench.registry.blame import contained
from coabench.runs.identity import RunIdentity
from coabench.sweep.settings import DEFAULTS, OPTIONS, SET, Settings, request_of
from coabench.sweep.sheet import Resources, Sheet, Wanted
from coabench.sweep.state import read_state

PROBED = 8
"""Samples whose tokens are counted for an estimate."""


@dataclass(frozen=True)
class Planned:
    """One run of a sweep.

    Attributes:
        varying: the options in which it differs from others: option (``set.num_crops`` for one of a plugin) -> value.
        request: what ``coabench evaluate`` does.
        samples: how many it is about.
        questions: how many a sample is asked when every answer is the first option.
        tokens: of these questions' prompts with their images, on average; None where the backbone does not count
            them, or no estimate is wanted.
        device: as the backbone reports it on this machine; None where it has none.
    """

    varying: Mapping[str, Any]
    request: Evaluation
    identity: RunIdentity
    samples: int
    questions: int
    tokens: float | None
    device: str | None
    resources: Resources
    notes: Sequence[str]

    @property
    def directory(self) -> Path:
        assert self.request.output is not None
        return self.request.output

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.varying)


@dataclass(frozen=True)
class SweepPlan:
    """All runs of a sweep, in order.

    Attributes:
        same: combinations that are the same run as an earlier one, each in a line.
    """

    sheet: Sheet
    runs: Sequence[Planned]
    same: Sequence[str]

    @property
    def notes(self) -> list[str]:
        """What the user should know of the runs, each once."""
        return list(dict.fromkeys(note for run in self.runs for note in run.notes))


def make_plan(sheet: Sheet, *, probe: bool = False) -> SweepPlan:
    """Check every run of a sheet and return the plan; writes nothing and loads no weights.

    Args:
        probe: count the tokens of some samples' prompts, where the backbone can.

    Raises:
        UserError: nothing to run, or runs that cannot be done: all of them are named, each with its problem.
    """
    if exists(sheet.output) and not is_folder(sheet.output):
        raise UserError(f"the output {sheet.output} is a file", expected="a folder", remedy="correct 'output'")
    wanted = sheet.wanted()
    varying = [distinguish(wanted, settings) for settings in (w.settings for w in wanted)]
    runs: dict[str, tuple[Wanted, Planned]] = {}
    same: list[str] = []
    problems: dict[str, list[str]] = {}
    for run, differs in zip(wanted, varying, strict=True):
        label = label_of(differs)
        try:
            with contained():
                planned = _planned(sheet, run, differs, probe)
        except CoabenchError as error:
            problems.setdefault(str(error), []).append(label)
        except Exception as error:
            problem = f"{type(error).__name__}: {error} (a defect of coabench or of a plugin)"
            problems.setdefault(problem, []).append(label)
        else:
            key = planned.identity.digest
            if key in runs:
                first = runs[key][1].label
                same.append(
                    f"{label}: {'asked for twice' if first == label else f'the same run as {first}'}, done once"
                )
            else:
                runs[key] = (run, planned)
    if problems:
        raise _refused(sheet, problems, len(wanted))
    once = [run for run, _ in runs.values()]
    kept = [replace(planned, varying=distinguish(once, run.settings)) for run, planned in runs.values()]
    return SweepPlan(sheet, kept, list(dict.fromkeys(same)))


def label_of(varying: Mapping[str, Any]) -> str:
    """Return what people call the run with these options."""
    return ", ".join(map(_shown, varying.values()))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "default"
    return "default" if value is None else str(value)


def distinguish(wanted: Sequence[Wanted], settings: Settings) -> dict[str, Any]:
    """Return the options of a run in which the runs of a sweep differ; of a single run, what it is about."""
    names = [name for name in OPTIONS if name != SET and len({w.settings[name] for w in wanted}) > 1]
    assigned = dict.fromkeys(option for w in wanted for option in w.settings[SET])
    options = [option for option in assigned if len({w.settings[SET].get(option) for w in wanted}) > 1]
    if not names and not options:
        names = ["backbone", "strategy", "dataset"]
    return {name: settings[name] for name in names} | {
        f"{SET}.{option}": settings[SET].get(option) for option in options
    }


def _planned(sheet: Sheet, wanted: Wanted, varying: Mapping[str, Any], probe: bool) -> Planned:
    plan = check(request_of(wanted.settings))
    directory = sheet.output / run_name(plan.identity)
    read_state(directory, plan.identity)  # for what it refuses
    device = plan.backbone.details().get("device")
    questions = rehearse(plan.strategy, plan.task(plan.samples[0]), plan.decode)
    paths = plan.sampling.samples if plan.sampling else 1
    return Planned(
        varying,
        request_of(wanted.settings, directory),
        plan.identity,
        len(plan.samples),
        len(questions) * paths,
        _tokens(plan) if probe else None,
        None if device is None else str(device),
        wanted.resources,
        plan.notes,
    )


def run_name(identity: RunIdentity) -> str:
    """Return the name of a run's folder: readable, the same whatever else the sheet holds, of this run alone."""
    backbone, limit = identity.backbone, identity.dataset.limit
    model, adapter = last_part(backbone.model), last_part(backbone.adapter)
    name = f"{backbone.name}-{model}" if model else backbone.name
    parts = [f"{name}+{adapter}" if adapter else name, identity.strategy.name, identity.dataset.name]
    if identity.decode != DEFAULTS["decode"]:
        parts.append(identity.decode)
    if identity.preparation:
        parts.append("cropped")
    if identity.seed != DEFAULTS["seed"]:
        parts.append(f"seed-{identity.seed}")
    if identity.dataset.fold is not None:
        parts.append(f"fold-{identity.dataset.fold.number}-of-{identity.dataset.fold.of}")
    if identity.variant is not None:
        parts.append(re.sub("--(transform|rewrite) ", "", identity.variant))
    if limit is not None:
        parts.append(f"limit-{limit}")
    return identity.folder_name([part[:48] for part in parts])


def _tokens(plan: Plan) -> float | None:
    """Return the mean tokens of a sample's prompts, over samples from all over the data."""
    counts = []
    for sample in plan.samples[:: max(1, -(-len(plan.samples) // PROBED))]:
        task = plan.task(sample)
        try:
            images = [*plan.pool.images(sample.id), read_image(sample.image).image]
            prepared = plan.backbone.prepare(images, sample.id)
        except SampleError:
            continue  # the run will name it; here it only makes no estimate
        count = plan.backbone.prompt_tokens(prepared, rehearse(plan.strategy, task, plan.decode))
        if count is None:
            return None
        counts.append(count)
    paths = plan.sampling.samples if plan.sampling else 1
    return paths * sum(counts) / len(counts) if counts else None


def _refused(sheet: Sheet, problems: Mapping[str, Sequence[str]], wanted: int) -> UserError:
    count = sum(map(len, problems.values()))
    lines = []
    for problem, labels in problems.items():
        first, *rest = problem.splitlines()
        lines += [f"    {'; '.join(labels)}:", f"      {first}", *(f"      {line}" for line in rest)]
    return UserError(
        f"{sheet.path}: {count} of {wanted} runs cannot be done, so none was begun",
        found="\n".join(["", *lines]).strip("\n"),
        remedy="correct the sheet, or leave these combinations out with 'exclude'",
    )


def limited(run: Planned, limit: int, output: Path) -> Planned:
    """Return a run about so many samples only, in another folder."""
    request = replace(run.request, limit=min(limit, run.samples), output=output)
    return replace(run, request=request, identity=check(request).identity, samples=min(limit, run.samples))
