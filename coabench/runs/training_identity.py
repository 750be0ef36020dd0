"""The identity of a training: everything that can change the weights; see `coabench.runs.identity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from coabench.runs.dataset_identity import FoldIdentity
from coabench.runs.identity import StrategyIdentity
from coabench.runs.identity_part import LEFT_OUT, Part, left_out

VARIANTS = {"dora": "DoRA", "rslora": "rsLoRA"}
"""Settings of a recipe -> how the variant of LoRA is called."""


@dataclass(frozen=True, kw_only=True)
class TrainedBackbone(Part):
    """The backbone of a training, and the options of its training."""

    name: str
    model: str | None = None
    plugin: str | None = left_out()
    plugin_version: str | None = left_out()
    facts: Mapping[str, Any] | None = left_out()
    training: Mapping[str, Any] | None = left_out()


@dataclass(frozen=True, kw_only=True)
class TrainingData(Part):
    """A data set that was trained on: how many samples to fit, how many to select by, and the fold that was held out;
    *weight* is how often its samples come beside those of others, where that is not 1;
    `more` as in `DatasetIdentity`."""

    dataset: str
    split: str
    fingerprint: str
    fit: int | None = None
    dev: int | None = None
    weight: float | None = left_out()
    fold: FoldIdentity | None = field(default=None, metadata=LEFT_OUT)

    @property
    def any_fold(self) -> Self:
        """The same for all folds."""
        return self if self.fold is None else replace(self, fit=None, dev=None, fold=replace(self.fold, number=1))


@dataclass(frozen=True, kw_only=True)
class StartIdentity(Part):
    """The adapter that a training began with.

    Attributes:
        recipe: the SHA-256 of its training's identity, whatever the seed and the fold.
        weights: the SHA-256 of its weights and its config.
        seed, dev: those of its training, which say what it learnt from and what it was selected by.
        data: what it was trained on.
        start: the adapter that it began with itself.
    """

    recipe: str | None = None
    weights: str | None = None
    seed: int | None = None
    dev: float | None = None
    data: tuple[TrainingData, ...] = ()
    start: StartIdentity | None = field(default=None, metadata=LEFT_OUT)

    @property
    def any_seed(self) -> StartIdentity:
        """The same for all seeds and folds."""
        data = tuple(part.any_fold for part in self.data)
        return replace(self, weights=None, seed=None, data=data, start=self.start and self.start.any_seed)


@dataclass(frozen=True, kw_only=True)
class TrainingIdentity(Part):
    """A training.

    Attributes:
        images: as in `RespondentIdentity`, *preparation* as in `RunIdentity`.
        augmentation: the transforms that change the images that are learnt from, in their order.
        start: the adapter that it began with.
        warmup_steps: where 0.1.0 rounded them to another number.
        loss: ``tokens`` where 0.1.0 averaged micro-batches, and the loss is now the mean over the tokens of a step.
    """

    coabench: str | None = None
    images: int | None = left_out()
    preparation: tuple[Mapping[str, Any], ...] | None = left_out()
    augmentation: tuple[Mapping[str, Any], ...] | None = left_out()
    seed: int | None = None
    warmup_steps: int | None = left_out()
    loss: str | None = left_out()
    recipe: Mapping[str, Any]
    trainer: Mapping[str, Any]
    backbone: TrainedBackbone
    strategies: tuple[StrategyIdentity, ...]
    data: tuple[TrainingData, ...]
    start: StartIdentity | None = field(default=None, metadata=LEFT_OUT)

    @property
    def trained(self) -> str:
        """What was trained, in words."""
        recipe = self.recipe
        if recipe.get("full") is True:
            return "every parameter"
        variants = "".join(f", {name}" for field, name in VARIANTS.items() if recipe.get(field))
        if isinstance(whole := recipe.get("modules_to_save"), list | tuple):
            variants += f"; {', '.join(map(str, whole))} whole"
        return f"LoRA, rank {recipe.get('rank')}, alpha {recipe.get('alpha')}{variants}"

    @property
    def seen(self) -> tuple[TrainingData, ...]:
        """What it was trained on, and what the adapters before it were."""
        parts, start = list(self.data), self.start
        while start is not None:
            parts += start.data
            start = start.start
        return tuple(parts)

    @property
    def any_seed(self) -> TrainingIdentity:
        """The same for all seeds and folds."""
        data = tuple(part.any_fold for part in self.data)
        return replace(self, seed=None, data=data, start=self.start and self.start.any_seed)
