"""The adapter that a training begins with: what must fit, what is recorded of it, and its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.reading import is_folder, user_path
from coabench.errors import UserError
from coabench.recipe import Recipe, option_of
from coabench.runs.adapter import MANIFEST, TrainingRecord
from coabench.runs.learnt import LearntImages
from coabench.runs.training_identity import StartIdentity, TrainingData, TrainingIdentity
from coabench.training.parts import Modules

if TYPE_CHECKING:
    from torch import nn

    from coabench.support.adapter_folder import AdapterFolder

KEPT = ("rank", "alpha", "dora", "rslora", "targets", "modules_to_save")
"""Fields of the recipe that an adapter keeps."""


@dataclass(frozen=True)
class Start:
    """An adapter that a training begins with.

    Attributes:
        record: what is known of its training.
        trained: the identity of that.
        adapter: its files.
    """

    folder: Path
    record: TrainingRecord
    trained: TrainingIdentity
    adapter: AdapterFolder

    def settings(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a recipe with those that the adapter keeps; `UserError` where others are typed."""
        then = {**asdict(Recipe()), **self.trained.recipe}
        own = {name: tuple(then[name]) if isinstance(then[name], list) else then[name] for name in KEPT}
        for name in KEPT:
            value = typed.get(name)
            if value is not None and value != own[name]:
                raise UserError(
                    f"{_shown(name, value)} is not that of the adapter that the training begins with",
                    expected=f"{_shown(name, own[name])}, as in {self.folder}",
                    remedy=f"leave out {option_of(name)}, or --from",
                )
        return {**typed, **own}

    def check_fits(self, name: str, facts: Mapping[str, Any], modules: Modules) -> None:
        """Refuse (`UserError`) another base than the adapter's, or other modules.

        Args:
            name: the backbone.
            facts: `Backbone.identity`.
            modules: what the training would change.
        """
        then = (self.trained.backbone.name, self.record.facts.get("checkpoint"))
        now = (name, facts.get("checkpoint"))
        if then != now:
            raise UserError(
                f"the adapter in {self.folder} was trained on another base",
                expected=f"{then[0]}, checkpoint {str(then[1])[:12]}",
                found=f"{now[0]}, checkpoint {str(now[1])[:12]}",
                remedy="correct --backbone, or --from",
            )
        config = self.adapter.config or {}
        for field, names in (("target_modules", modules.lora), ("modules_to_save", modules.whole)):
            trained = config.get(field) or []
            if not isinstance(trained, list) or sorted(trained) != sorted(names):
                raise UserError(
                    f"the adapter in {self.folder} changes other modules than this training would",
                    expected=f"{len(names)} {field}: {names[0] if names else 'none'} …",
                    found=f"{len(trained)} modules" if isinstance(trained, list) else str(trained)[:80],
                    remedy="correct --from",
                )

    def identity(self) -> StartIdentity:
        """Return what the identity of the training keeps of it."""
        summary = self.record.summary() or {}
        return StartIdentity(
            recipe=summary.get("recipe"),
            weights=self.adapter.fingerprint(),
            seed=self.trained.seed,
            dev=self.trained.recipe.get("dev"),
            data=self.trained.data,
            start=self.trained.start,
        )

    @property
    def learnt(self) -> tuple[LearntImages | None, ...]:
        """The images that it learnt from, and those before it; None where they are not known."""
        return (*self.record.earlier, self.record.learnt)

    def notes(self, data: Sequence[TrainingData], seed: int, recipe: Recipe, facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the user should know of it, in sentences."""
        for line in self.record.facts_changed(facts):
            yield f"this training differs from that of {self.folder} in {line}"
        start: StartIdentity | None = self.identity()
        while start is not None:
            for old in start.data:
                for new in data:
                    same = old.fingerprint == new.fingerprint
                    if same and (old.fold, start.seed, start.dev) != (new.fold, seed, recipe.dev):
                        yield (
                            f"the adapter that it begins with learnt from another part of {new.dataset}: what is held"
                            " out now may be among it, and dev scores may flatter"
                        )
            start = start.start

    def load(self, model: nn.Module) -> None:
        """Put its weights into a model that PEFT has wrapped.

        Raises:
            UserError: they are not those of such an adapter.
        """
        from peft import get_peft_model_state_dict, set_peft_model_state_dict

        own = get_peft_model_state_dict(model, save_embedding_layers=False)
        tensors = {name: self.adapter.tensors.read(name) for name in self.adapter.tensors.entries}
        shapes = [{name: tuple(tensor.shape) for name, tensor in side.items()} for side in (own, tensors)]
        if shapes[0] != shapes[1]:
            other = sorted({*shapes[0].items()} ^ {*shapes[1].items()})
            raise UserError(
                f"the weights of the adapter in {self.folder} are not those that its config describes",
                found=f"{other[0][0]} ({len(other)} in all)",
                remedy="restore the adapter, or train it again",
            )
        set_peft_model_state_dict(model, tensors)


def _shown(setting: str, value: object) -> str:
    """Return a setting as it is typed."""
    option = option_of(setting)
    if isinstance(value, bool):
        return option if value else f"--no-{option.removeprefix('--')}"
    names = (",".join(value) or ("all" if setting == "targets" else "none")) if isinstance(value, tuple) else value
    return f"{option} {names}"


def open_start(adapter: str | Path | None) -> Start | None:
    """Return the adapter that a training begins with; None for none.

    Raises:
        UserError: it is no adapter that coabench trained: what it learnt from would not be known.
    """
    if adapter is None:
        return None
    from coabench.support.adapter_folder import AdapterFolder

    folder = user_path(adapter)
    record = TrainingRecord.read(folder)
    if record.identity is None or not is_folder(folder):
        raise UserError(
            f"--from {adapter} is no adapter that coabench trained",
            expected=f"a folder with {MANIFEST}, which says what was learnt from",
            remedy="correct --from",
        )
    if record.identity.recipe.get("full") is True:
        raise UserError(
            f"--from {adapter} is a whole model",
            expected="an adapter",
            remedy=f"pass it as the model: --backbone {record.identity.backbone.name}:{folder}",
        )
    return Start(folder, record, record.identity, AdapterFolder.read(folder))
