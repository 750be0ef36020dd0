"""Trainings in stages: each begins with the adapter of the one before, on its own data, for its own time.

The stages of a sheet are trainings of their own, in a folder each; a stage that is complete is not made again, one that
was killed resumes where it stopped. Stage-wise LoRA: arXiv 2503.11241 (basic emotions, then compound ones).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from coabench.base.files import write_json
from coabench.base.processes import Meeting
from coabench.base.reading import exists
from coabench.base.schema import Read, Unfit, must, read_file
from coabench.base.vocabulary import COMPLETE, RUNNING
from coabench.errors import UserError
from coabench.recipe import Balance, GrpoLoss, Objective, Recipe
from coabench.registry.options import Specs
from coabench.runs.adapter import MANIFEST as TRAINING
from coabench.runs.adapter import TrainingManifest
from coabench.runs.folder import read_manifest
from coabench.runs.training_identity import TrainingIdentity
from coabench.training.job import process_group, train
from coabench.training.plan import Plan, Training, check
from coabench.training.progress import TrainingProgress
from coabench.training.result import FinishedTraining

SCHEMA, MANIFEST = 1, "stages.json"
_NAME = must(lambda name: re.fullmatch(r"[A-Za-z0-9_-]+", name), "letters, digits, _ and -")


def _number(value: str | float) -> float:
    """Return a number, which YAML takes for a text where it is written as 5e-5."""
    with suppress(ValueError):
        if isfinite(number := float(value)):
            return number
    raise Unfit("a number, such as 5e-5")


Rate = Annotated[float, Read(_number, str | int | float)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage as its sheet has it; what it leaves out is as the command line has it."""

    name: Annotated[str, _NAME]
    strategy: Specs | None = None
    dataset: Specs | None = None
    augment: Specs | None = None
    objective: Objective | None = None
    group: int | None = None
    kl: float | None = None
    grpo_loss: GrpoLoss | None = None
    ambiguous: bool | None = None
    balance: Balance | None = None
    balance_beta: float | None = None
    epochs: float | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: Rate | None = field(default=None, metadata={"key": "lr"})
    part_lr: Mapping[str, Rate] | None = None
    lora_plus: float | None = None
    schedule: str | None = None
    warmup: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    patience: int | None = None

    def request(self, common: Training, directory: Path, before: Path | None) -> Training:
        """Return the training of this stage.

        Args:
            common: what the command line says.
            before: the adapter of the stage before; None for the first.
        """
        names = {each.name for each in fields(Recipe)} & {each.name for each in fields(self)}
        own = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        settings = {**common.settings, **({"steps": None} if "epochs" in own else {}), **own}
        return replace(
            common,
            stages=None,
            strategies=self.strategy or common.strategies,
            datasets=self.dataset or common.datasets,
            augment=common.augment if self.augment is None else self.augment,
            settings=settings,
            start=before or common.start,
            output=directory,
        )


@dataclass(frozen=True)
class StageSheet:
    """A sheet of stages, in their order."""

    stages: tuple[Stage, ...]


def train_all(request: Training, progress: TrainingProgress | None = None) -> FinishedTraining:
    """Train, in stages where the request has some; see `coabench.training.job.train`.

    Returns:
        The training, or that of the last stage.
    """
    if request.stages is None:
        return train(request, progress)
    progress = progress or TrainingProgress()
    stages = requests(request)
    (_, first), *_ = plans(request)  # all of them, before the first begins
    done: list[FinishedTraining] = []
    with process_group(first):
        for number, (stage, each) in enumerate(stages, 1):
            progress.note(f"stage {number} of {len(stages)}: {stage.name}")
            done.append(train(each, progress))
            if first.world.first:
                _record(request, stages, number)
            Meeting(first.world).agree()  # the others wait: the next stage begins with what the first process writes
    return done[-1]


def plans(request: Training) -> list[tuple[str, Plan]]:
    """Return the name and the plan of every stage, each as if there were none before; `UserError` as `check` has."""
    return [(stage.name, check(replace(each, start=request.start))) for stage, each in requests(request)]


def requests(request: Training) -> list[tuple[Stage, Training]]:
    """Return every stage with its training.

    Raises:
        UserError: the sheet cannot be read, or the request fits no training in stages.
    """
    if request.stages is None or request.output is None:
        raise UserError("--stages needs --output", expected="a folder for the adapters", remedy="pass --output FOLDER")
    if request.settings.get("full"):
        raise UserError("--stages is for adapters", found="--full", remedy="leave out one of the two")
    sheet = read_file(StageSheet, request.stages, "sheet of stages", schema=SCHEMA)
    names = [stage.name for stage in sheet.stages]
    if len({*names}) < len(names) or not names:
        raise UserError(
            f"{request.stages}: stages need names of their own",
            found=", ".join(names) or "no stage",
            remedy="correct the sheet of stages",
        )
    made: list[tuple[Stage, Training]] = []
    for number, stage in enumerate(sheet.stages, 1):
        before = made[-1][1].output if made else None
        made.append((stage, stage.request(request, request.output / stage_folder(number, stage.name), before)))
    return made


def stage_folder(number: int, name: str) -> str:
    """Return the name of a stage's folder, counted from 1."""
    return f"{number}-{name}"


def _record(request: Training, stages: Sequence[tuple[Stage, Training]], done: int) -> None:
    """Write which stages there are, and how those ended that were trained, now or before."""
    rows = []
    for number, (stage, each) in enumerate(stages, 1):
        assert each.output is not None
        there = exists(each.output / TRAINING) and (number <= done or not request.overwrite)
        facts = _facts(read_manifest(each.output, TrainingManifest)) if there else {}
        rows.append({"name": stage.name, "folder": each.output.name, **facts})
    status = COMPLETE if all(row.get("status") == COMPLETE for row in rows) else RUNNING
    assert request.output is not None
    write_json(request.output / MANIFEST, {"schema": SCHEMA, "status": status, "stages": rows})


def _facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    identity = TrainingIdentity.read(manifest["identity"])
    kept = ("status", "examples", "steps", "selected_step", "dev")
    data = [part.dataset for part in identity.data]
    return {"training": identity.digest, "data": data, **{name: manifest.get(name) for name in kept}}
