"""What a training will do, checked before any weight is loaded: data, questions, recipe, schedule, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coabench.backbone import Backbone, BackboneRequest, Trainee
from coabench.base.processes import World
from coabench.base.version import __version__
from coabench.errors import UserError, did_you_mean
from coabench.recipe import Preset, Recipe, choose
from coabench.registry.catalog import find_backbone, find_dataset, open_strategy
from coabench.registry.defaults import DEVICE, SEED
from coabench.registry.options import distribute
from coabench.runs.identity import StrategyIdentity, TrainedBackbone, TrainingIdentity
from coabench.strategy import Strategy
from coabench.training.data import Item, Source, collect, open_source
from coabench.training.schedule import Schedule

MICRO_BATCH = 4
"""Turns that go through the model at a time, unless the user or a preset says otherwise."""

OURS = {
    "output_dir": "--output", "overwrite_output_dir": "--overwrite", "resume_from_checkpoint": "the same command again",
    "per_device_train_batch_size": "--micro-batch", "gradient_accumulation_steps": "--batch-size and --micro-batch",
    "num_train_epochs": "--epochs", "max_steps": "--steps", "learning_rate": "--lr", "warmup_steps": "--warmup",
    "lr_scheduler_type": "--schedule", "weight_decay": "--weight-decay", "seed": "--seed", "data_seed": "--seed",
    "bf16": "--dtype", "fp16": "--dtype", "use_cpu": "--device", "gradient_checkpointing": "--checkpointing",
    "load_best_model_at_end": "--dev", "metric_for_best_model": "--dev", "report_to": "the log that is always written",
}  # fmt: skip
"""Fields of TrainingArguments that have an option of their own here."""


@dataclass(frozen=True)
class Training:
    """What to train, as the command line says it.

    Attributes:
        backbone: ``NAME[:MODEL]``; from Python, a class.
        strategies: each ``NAME[:VARIANT]`` or a prompt file; from Python, a strategy itself.
        datasets: each ``NAME`` or a card.
        preset: the name of one of the backbone's presets; None for its default.
        given: fields of `Recipe` that the user gave; None for those he did not.
        micro_batch: turns per forward pass and process; None to choose.
        options: ``--set`` assignments.
        trainer: ``--trainer`` assignments: further fields of transformers' TrainingArguments.
        output: where the adapter goes; None for a folder named after what trains, below ``adapters``.
        published: write the published layout as well.
    """

    backbone: str | type[Backbone[Any]]
    strategies: Sequence[str | Strategy]
    datasets: Sequence[str]
    data_root: Path | None = None
    preset: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    micro_batch: int | None = None
    seed: int = SEED
    device: str = DEVICE
    options: Mapping[str, str] = field(default_factory=dict)
    trainer: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    overwrite: bool = False
    published: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that was checked before the weights are loaded.

    Attributes:
        trainee: what the backbone lends; its parameters have no memory yet.
        name: of the training folder, where the user names none.
        manifest: to open the training folder with.
        device: of this process.
        dtype: of the arithmetic.
        trainer: further fields of transformers' TrainingArguments.
    """

    recipe: Recipe
    strategies: Sequence[Strategy]
    sources: Sequence[Source]
    items: Sequence[Item]
    schedule: Schedule
    backbone: Backbone[Any]
    trainee: Trainee
    name: str
    identity: TrainingIdentity
    manifest: dict[str, Any]
    world: World
    device: str
    dtype: str
    trainer: Mapping[str, Any]

    @property
    def turns(self) -> int:
        """How many questions with answers there are: the training examples."""
        return sum(len(item.turns) for item in self.items)


def check(request: Training) -> Plan:
    """Check the whole request, cheapest first."""
    world = World.from_environment()
    registration, model = find_backbone(request.backbone)
    factory = registration.load()
    if "trains" not in factory.capabilities:
        raise UserError(
            f"backbone {registration.name!r} cannot be trained",
            expected="a backbone that trains",
            found=", ".join(sorted(factory.capabilities)),
            remedy="choose another --backbone",
        )
    recipe, preset = choose(factory.presets, request.preset, request.given)
    if request.published and recipe.full:
        raise UserError("--export published is for adapters", found="--full", remedy="leave out one of the two")
    micro = _micro_batch(request, recipe, preset, world)
    strategies = [open_strategy(spec) for spec in request.strategies]
    choices = [find_dataset(spec) for spec in request.datasets]
    for what, specs in (("--strategy", request.strategies), ("--dataset", request.datasets)):
        if len(set(specs)) < len(specs):
            raise UserError(
                f"{what} names the same thing twice", found=", ".join(map(str, specs)), remedy="name each once"
            )
    loaders = {choice.loader.target: choice.loader.load().Options for choice in choices}
    names = {target: "dataset" if len(loaders) == 1 else target.partition(".")[0] for target in loaders}
    options = distribute(
        {**preset.options, **request.options},
        {"backbone": factory.Options, "training": factory.TrainingOptions, **{names[t]: o for t, o in loaders.items()}},
    )
    sources = [
        open_source(c.open(request.data_root, options[names[c.loader.target]]), recipe.dev, request.seed)
        for c in choices
    ]
    items = collect([strategy for strategy, _ in strategies], sources, recipe.ambiguous, request.seed)
    backbone = factory(
        BackboneRequest(model, None, world.device(request.device), _load_dtype(recipe), options["backbone"])
    )
    trainee = backbone.trainee(options["training"])
    targets(trainee, recipe)
    turns = [len(item.turns) for item in items]
    steps = recipe.steps or int(sum(turns) * recipe.epochs / recipe.batch_size)
    if steps < 1:
        raise UserError(
            f"{sum(turns)} questions make less than one step",
            expected=f"at least {recipe.batch_size} questions, the batch size",
            remedy="lower --batch-size, raise --epochs, or pass --steps",
        )
    schedule = Schedule(
        turns, [_length(item) for item in items], request.seed, recipe.batch_size, micro, steps, recipe.mirror
    )
    trainer = _trainer_fields(request.trainer)
    identity = TrainingIdentity(
        coabench=__version__,
        seed=request.seed,
        recipe=asdict(recipe),
        trainer=trainer,
        backbone=TrainedBackbone(
            name=registration.name,
            model=model,
            plugin=registration.plugin,
            plugin_version=registration.version,
            facts=backbone.identity(),
            training=asdict(options["training"]),
        ),
        strategies=tuple(StrategyIdentity.of(strategy, where) for strategy, where in strategies),
        data=tuple(source.identity() for source in sources),
    )
    manifest = {
        "identity": identity.to_json(),
        "options": asdict(options["backbone"]),
        "facts": dict(backbone.identity()),
        "examples": sum(turns),
        "steps": steps,
        "notes": list(dict.fromkeys(note for source in sources for note in source.dataset.notes())),
    }
    details = backbone.details()
    return Plan(
        recipe,
        [strategy for strategy, _ in strategies],
        sources,
        items,
        schedule,
        backbone,
        trainee,
        identity.folder_name(["+".join(strategy.name for strategy, _ in strategies), registration.name]),
        identity,
        manifest,
        world,
        device=str(details.get("device", "cpu")).split()[0],
        dtype=recipe.dtype if recipe.full else str(backbone.identity().get("dtype", recipe.dtype)),
        trainer=trainer,
    )


def _micro_batch(request: Training, recipe: Recipe, preset: Preset, world: World) -> int:
    """Return the turns per forward pass: what the user gave, or the most that divides, up to a bound."""
    share, rest = divmod(recipe.batch_size, world.size)
    if rest:
        raise UserError(
            f"a batch of {recipe.batch_size} cannot be dealt out evenly to {world.size} processes",
            expected="a --batch-size that is a multiple of the number of processes",
            remedy=f"pass --batch-size {world.size * max(1, round(recipe.batch_size / world.size))}",
        )
    if request.micro_batch is None:
        most = preset.micro_batch or MICRO_BATCH
        return max(size for size in range(1, min(most, share) + 1) if share % size == 0)
    if share % request.micro_batch:
        raise UserError(
            f"--micro-batch {request.micro_batch} does not divide the share of a process",
            expected=f"a divisor of {share}: --batch-size {recipe.batch_size} over {world.size} processes",
            remedy="change --micro-batch or --batch-size",
        )
    return request.micro_batch


def _load_dtype(recipe: Recipe) -> str:
    """Return the precision of the weights. All of them trained, they are kept in float32 whatever the arithmetic."""
    return "float32" if recipe.full else recipe.dtype


def _length(item: Item) -> int:
    return sum(len(message.text) for turn in item.turns for message in turn.question.messages)


def _trainer_fields(given: Mapping[str, str]) -> dict[str, Any]:
    """Return ``--trainer`` assignments with their values read; `UserError` for a field that is none, or ours."""
    import json
    from dataclasses import fields

    from transformers import TrainingArguments

    known = [f.name for f in fields(TrainingArguments)]
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key in OURS:
            raise UserError(
                f"--trainer {key} has an option of its own", expected=OURS[key], remedy=f"use {OURS[key]} instead"
            )
        if key not in known:
            raise UserError(
                f"--trainer {key}: transformers' TrainingArguments has no such field",
                remedy=f"{did_you_mean(key, known)}correct --trainer",
            )
        try:
            values[key] = json.loads(text.lower() if text in ("True", "False", "None") else text)
        except ValueError:
            values[key] = text
    return values


def targets(trainee: Trainee, recipe: Recipe) -> list[str]:
    """Return the full names of the modules that LoRA goes on; `UserError` where a target names no part."""
    for part in recipe.targets:
        if part not in trainee.groups:
            raise UserError(
                f"--targets {part} matches no module of this backbone",
                expected=", ".join(f"{name} ({len(modules)} modules)" for name, modules in trainee.groups.items()),
                remedy=f"{did_you_mean(part, list(trainee.groups))}correct --targets",
            )
    return [name for part in recipe.targets or trainee.groups for name in trainee.groups[part]]


def part_of(parameter: str, trainee: Trainee) -> str:
    """Return the part of the model that a parameter belongs to."""
    return next(part for part, prefix in trainee.parts.items() if parameter.startswith(prefix))
