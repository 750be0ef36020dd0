"""What a training will do, checked before any weight is loaded: data, questions, recipe, schedule, identity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from coabench.backbone import Backbone, BackboneRequest, Trainee
from coabench.base.processes import World
from coabench.base.reading import exists
from coabench.base.schema import at_least
from coabench.base.version import __version__
from coabench.base.vocabulary import COMPLETE
from coabench.cropping.originals import cropped_again
from coabench.cropping.step import CropChoice, FaceCrop, find_crop
from coabench.dataset import Sample
from coabench.errors import UserError
from coabench.inference.preparation import describe_steps, prepare
from coabench.recipe import Preset, Recipe, make_recipe
from coabench.registry.catalog import DatasetChoice, find_backbone, find_dataset, open_backbone, open_strategy
from coabench.registry.defaults import DEVICE, SEED
from coabench.registry.options import Specs, distribute
from coabench.registry.registrations import Registration
from coabench.registry.transforms import Transforms, open_augmentation
from coabench.runs.adapter import MANIFEST, TrainingManifest
from coabench.runs.folder import read_manifest
from coabench.runs.folds import check_seed
from coabench.runs.identity import StrategyIdentity
from coabench.runs.learnt import LearntImages
from coabench.runs.training_identity import TrainedBackbone, TrainingIdentity
from coabench.strategy import Strategy
from coabench.support.images import READER
from coabench.training.asha import Asha
from coabench.training.balance import ClassBalance, find_balance, find_shares
from coabench.training.data import Item, Source, collect, open_source, split_weight
from coabench.training.fields import check_sharding, trainer_fields
from coabench.training.parts import Modules, check_rates
from coabench.training.reward import check_rewards
from coabench.training.schedule import Schedule
from coabench.training.start import Start, open_start
from coabench.training.vision_cache import check_vision_cache

MICRO_BATCH = 4
"""Turns that go through the model at a time, unless the user or a preset says otherwise."""


@dataclass(frozen=True)
class Training:
    """What to train: the arguments of `coabench.api.train`, checked.

    Attributes:
        settings: fields of `Recipe` that the user set; None for the others.
        crop: ``DETECTOR:key=value,…`` where every picture is cropped to its face; see `coabench.cropping.step`.
        augment: ``NAME:key=value,…``: what changes the images that are learnt from; see
            `coabench.registry.transforms.open_augmentation`.
        start: the adapter that it begins with.
        stages: a sheet of stages; see `coabench.training.stages`.
        vision_cache: how many GiB of what a frozen vision tower makes of images are kept on disk; None for none. It
            changes no result; see `coabench.training.vision_cache`.
        fold: which fold of each train split is held out, as in ``3/10``; see `coabench.runs.folds.open_fold`.
        published: write the published layout as well.
        asha: by which it is stopped early where it does worse than its rivals; None for never.
        rivals: the folders of the trainings that it is compared with.
        command: the command line, for the manifest.
    """

    backbone: str | type[Backbone[Any]]
    strategies: Sequence[str | Strategy]
    datasets: Sequence[str | DatasetChoice]
    _: KW_ONLY
    data_root: Path | None = None
    crop: str | None = None
    augment: Specs = ()
    start: Path | None = None
    stages: Path | None = None
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    micro_batch: Annotated[int, at_least(1)] | None = None
    vision_cache: float | None = None
    seed: int = SEED
    fold: str | None = None
    fold_seed: int | None = None
    device: str = DEVICE
    options: Mapping[str, str] = field(default_factory=dict)
    trainer: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    overwrite: bool = False
    published: bool = False
    asha: Asha | None = None
    rivals: tuple[Path, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that was checked before the weights are loaded.

    Attributes:
        trainee: the backbone's part that is trained; its parameters have no memory yet.
        modules: which of its modules get a LoRA, and which are trained whole beside it.
        output: the folder that the user names; None for none.
        options: of the backbone.
        trainer: further fields of transformers' TrainingArguments.
        crop: cuts the face out of every picture; None where they are shown as they are.
        warmup: the steps in which the learning rate rises.
        balance: what makes up for rare answers; None for nothing.
        augmentation: what augments the training images, at random each time; None for nothing.
        start: the adapter that it begins with; None for none.
        continues: whether 0.1.0 began it with another warm-up, optimizer or mean of the loss, which it keeps.
    """

    recipe: Recipe
    strategies: Sequence[Strategy]
    sources: Sequence[Source]
    items: Sequence[Item]
    schedule: Schedule
    backbone: Backbone[Any]
    trainee: Trainee
    modules: Modules
    output: Path | None
    identity: TrainingIdentity
    options: Any
    world: World
    trainer: Mapping[str, Any]
    warmup: int
    crop: FaceCrop | None = None
    balance: ClassBalance | None = None
    augmentation: Transforms | None = None
    start: Start | None = None
    continues: bool = False

    @property
    def directory(self) -> Path:
        """The training's folder."""
        names = ["+".join(strategy.name for strategy in self.strategies), self.identity.backbone.name]
        return self.output or Path("adapters") / self.identity.folder_name(names)

    @property
    def turns(self) -> int:
        """How many training examples there are: questions with answers, or images that are drawn about."""
        return sum(self.schedule.turns)

    @property
    def averages(self) -> bool:
        """Whether each micro-batch is a mean of its own, rather than a part of the mean over the tokens of its step."""
        return not self.schedule.share or (self.continues and self.trainee.averaged)

    @property
    def samples(self) -> Sequence[Sample]:
        """All samples that are learnt from, those that the result is selected by too."""
        return [sample for source in self.sources for sample in (*source.fit, *source.dev)]

    @property
    def manifest(self) -> dict[str, Any]:
        """What `coabench.training.files.TrainingFolder` is opened with."""
        return {
            "identity": self.identity.to_json(),
            "options": asdict(self.options),
            "facts": dict(self.backbone.identity()),
            "examples": self.turns,
            "steps": self.schedule.steps,
            **({"balance": self.balance.to_json()} if self.balance else {}),
            "notes": list(dict.fromkeys(self._notes())),
        }

    def _notes(self) -> Iterator[str]:
        """Yield what the user should know, in sentences."""
        for source in self.sources:
            yield from source.notes
            yield from cropped_again(source.dataset.card) if self.crop else ()
        if len(self.sources) > 1 and any(source.fold for source in self.sources):
            yield "each data set is cut into folds by itself: a person held out of one may be learnt from in another"
        if self.start:
            yield from self.start.notes(self.identity.data, self.schedule.seed, self.recipe, self.backbone.identity())

    @property
    def earlier(self) -> Sequence[LearntImages | None]:
        """What the adapter that it begins with learnt from."""
        return self.start.learnt if self.start else ()

    @property
    def device(self) -> str:
        """The device of this process."""
        return str(self.backbone.details().get("device", "cpu")).split()[0]

    @property
    def dtype(self) -> str:
        """The precision of the arithmetic."""
        return self.recipe.dtype if self.recipe.full else str(self.backbone.identity().get("dtype", self.recipe.dtype))


def check(request: Training) -> Plan:
    """Check the whole request, cheapest first.

    Raises:
        UserError: bad input.
    """
    world = World.from_environment()
    registration, model = find_backbone(request.backbone)
    factory = registration.load()
    check_seed(request.fold, request.fold_seed)
    start = open_start(request.start)
    recipe, preset = _recipe(request, registration, factory, start)
    micro_batch = _micro_batch(request, recipe, preset, world)
    strategies = [open_strategy(spec) for spec in request.strategies]
    typed = start.record.assignments(request.options, factory.Options) if start else request.options
    options, sources, crop = _data(request, recipe, {**preset.options, **typed}, factory)
    steps = [crop] if crop else []
    items = collect([strategy for strategy, _ in strategies], sources, recipe, request.seed)
    dtype = "float32" if recipe.full else recipe.dtype  # all trained, weights stay in float32 whatever the arithmetic
    device = world.device(request.device)
    wanted_model = BackboneRequest(model, None, device, dtype, options["backbone"], recipe.load)
    backbone = open_backbone(registration, wanted_model)
    trainee = backbone.trainee(deepcopy(options["training"]))
    modules = Modules.of(trainee, recipe)
    check_rates(trainee, recipe, modules)
    if request.vision_cache is not None:
        check_vision_cache(trainee, recipe, modules, request.vision_cache, augments=bool(request.augment))
    if request.published and recipe.dora:
        _check_published(trainee, modules)
    if start is not None:
        start.check_fits(registration.name, backbone.identity(), modules)
    asked = {item.strategy.name: (item.strategy, item.task) for item in items}.values()
    check_rewards(recipe, asked, factory.capabilities, trainee.weighs)
    balance = find_balance(recipe, items, trainee.weighs)
    weights = {source.dataset.card.name: source.weight for source in sources}
    augmentation = open_augmentation(request.augment, request.seed)
    schedule = _schedule(items, recipe, micro_batch, request.seed, find_shares(items, balance, weights))
    schedule = replace(schedule, augments=augmentation is not None)
    trainer = trainer_fields({**preset.trainer, **request.trainer})
    device_name = str(backbone.details().get("device", "cpu"))
    check_sharding(trainer, recipe, device_name, keeps=request.vision_cache is not None)
    warmup, rounded = (of(recipe.warmup * schedule.steps) for of in (math.ceil, round))
    identity = TrainingIdentity(
        coabench=__version__,
        images=READER,
        preparation=describe_steps(steps),
        augmentation=augmentation.describe() if augmentation else None,
        seed=request.seed,
        warmup_steps=warmup if warmup != rounded else None,
        loss="tokens" if trainee.averaged and recipe.share else None,
        recipe=recipe.identity(micro_batch),
        trainer=trainer,
        backbone=_trained(registration, model, backbone.identity(), options["training"]),
        strategies=tuple(StrategyIdentity.of(strategy, origin) for strategy, origin in strategies),
        data=tuple(source.identity() for source in sources),
        start=start.identity() if start else None,
    )
    plan = Plan(
        recipe, [strategy for strategy, _ in strategies], sources, items, schedule, backbone, trainee, modules,
        request.output, identity, options["backbone"], world, trainer, warmup, crop, balance, augmentation, start,
    )  # fmt: skip
    return plan if request.overwrite else _continued(plan, {key: trainer[key] for key in request.trainer}, rounded)


def _trained(registration: Registration, model: str | None, facts: Mapping[str, Any], options: Any) -> TrainedBackbone:
    """Return the backbone for the identity."""
    return TrainedBackbone(
        name=registration.name,
        model=model,
        plugin=registration.plugin,
        plugin_version=registration.version,
        facts=facts,
        training=asdict(options),
    )


def _data(
    request: Training, recipe: Recipe, assignments: Mapping[str, str], factory: type[Backbone[Any]]
) -> tuple[Mapping[str, Any], list[Source], FaceCrop | None]:
    """Return the options by owner, what is learnt from, and what cuts the face out of it."""
    named = [split_weight(spec) for spec in request.datasets]
    choices = [find_dataset(spec) for spec, _ in named]
    _check_distinct(replace(request, datasets=[spec for spec, _ in named]))
    wanted = find_crop(request.crop) if request.crop is not None else None
    options, *of_datasets = _options(assignments, factory, choices, wanted)
    crop = wanted.open(options["detector"]) if wanted else None
    sources = []
    for choice, own, (_, weight) in zip(choices, of_datasets, named, strict=True):
        dataset = prepare(choice.open(request.data_root, own), [crop] if crop else [])
        source = open_source(dataset, recipe.dev, request.seed, request.fold, request.fold_seed)
        sources.append(replace(source, weight=weight))
    return options, sources, crop


def _continued(plan: Plan, typed: Mapping[str, Any], rounded: int) -> Plan:
    """Return the plan as 0.1.0 made it where its folder holds a training that 0.1.0 began so and that is not finished.

    Args:
        typed: what the user set of ``--trainer``: presets set nothing then.
        rounded: the steps of warm-up then.
    """
    identity = replace(plan.identity, warmup_steps=None, loss=None, trainer=typed)
    then = replace(plan, identity=identity, trainer=typed, warmup=rounded, continues=True)
    if identity == plan.identity or not exists(then.directory / MANIFEST):
        return plan
    there = read_manifest(then.directory, TrainingManifest)
    return then if there["status"] != COMPLETE and there["identity"] == identity.to_json() else plan


def _recipe(
    request: Training, registration: Registration, factory: type[Backbone[Any]], start: Start | None
) -> tuple[Recipe, Preset]:
    """Return the recipe and the preset that it is based on; `UserError` where the backbone cannot be trained so."""
    if "trains" not in factory.capabilities:
        raise UserError(
            f"backbone {registration.name!r} cannot be trained",
            expected="a backbone that trains",
            found=", ".join(sorted(factory.capabilities)),
            remedy="choose another --backbone",
        )
    settings = start.settings(request.settings) if start else request.settings
    recipe, preset = make_recipe(factory.presets, request.preset, settings)
    if start is not None and recipe.full:
        raise UserError("--from is for adapters", found="--full", remedy="leave out one of the two")
    if request.published and recipe.full:
        raise UserError("--export published is for adapters", found="--full", remedy="leave out one of the two")
    return recipe, preset


def _check_published(trainee: Trainee, modules: Modules) -> None:
    """Refuse a DoRA that the published layout cannot hold before it is trained."""
    from coabench.support.published import DORA

    if any(hasattr(trainee.module.get_submodule(name), "num_embeddings") for name in modules.lora):
        raise UserError(
            "--export published writes what PEFT 0.10 reads",
            found=DORA,
            remedy="pass --targets without vision, leave out --dora, or export it as peft or merged",
        )


def _check_distinct(request: Training) -> None:
    for option, specs in (("--strategy", request.strategies), ("--dataset", request.datasets)):
        names = [str(spec) for spec in specs if not isinstance(spec, DatasetChoice)]
        if len(set(names)) < len(names):
            raise UserError(f"{option} names the same thing twice", found=", ".join(names), remedy="name each once")


def _options(
    assignments: Mapping[str, str],
    factory: type[Backbone[Any]],
    choices: Sequence[DatasetChoice],
    crop: CropChoice | None,
) -> tuple[Any, ...]:
    """Return the options of ``backbone``, ``training`` and ``detector`` in a mapping, and those of each data set."""
    loaders = {choice.loader.target: choice.loader.load().Options for choice in choices}
    owners = {target: "dataset" if len(loaders) == 1 else target.partition(".")[0] for target in loaders}
    options = distribute(
        assignments,
        {
            "backbone": factory.Options,
            "training": factory.TrainingOptions,
            **({"detector": crop.detector.options} if crop else {}),
            **{owners[target]: declared for target, declared in loaders.items()},
        },
    )
    return (options, *(options[owners[choice.loader.target]] for choice in choices))


def _schedule(
    items: Sequence[Item], recipe: Recipe, micro_batch: int, seed: int, shares: Sequence[float] | None
) -> Schedule:
    """Return which turns make which step; `UserError` where there are too few for one."""
    turns = [len(item.turns) for item in items]
    used = sum(turns) if recipe.share else sum(turns) // recipe.batch_size * recipe.batch_size
    steps = recipe.steps or int(used * recipe.epochs / recipe.batch_size)
    if steps < 1 or not used:
        raise UserError(
            f"{sum(turns)} questions make less than one step",
            expected=f"at least {recipe.batch_size} questions, the batch size",
            remedy="lower --batch-size, raise --epochs, or pass --steps",
        )
    lengths = [sum(len(message.text) for turn in item.turns for message in turn.question.messages) for item in items]
    return Schedule(turns, lengths, seed, recipe.batch_size, micro_batch, steps, recipe.mirror, recipe.share, shares)


def _micro_batch(request: Training, recipe: Recipe, preset: Preset, world: World) -> int:
    """Return the turns per forward pass: what the user set, or the most that divides, up to a bound."""
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
