"""A training's recipe beside the published one of its backbone, where there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from coabench.errors import UserError
from coabench.recipe import REWARDED, Preset, Recipe, make_recipe
from coabench.registry.catalog import find_backbone
from coabench.runs.training_identity import TrainingIdentity

PUBLISHED = "published"


@dataclass(frozen=True)
class Setting:
    """A setting of a training; *published* is None where the published recipe does not have it."""

    name: str
    value: str
    published: str | None = None

    @property
    def differs(self) -> bool:
        return self.published is not None and not _same(self.value, self.published)


def recipe_rows(identity: TrainingIdentity, options: Mapping[str, Any]) -> tuple[list[Setting], bool]:
    """Return the settings of a training, and whether a published recipe stands beside them.

    Args:
        options: of the backbone.
    """
    preset = _published(identity.backbone.name)
    then: Mapping[str, Any] = {}
    if preset is not None:
        recipe, _ = make_recipe({PUBLISHED: preset}, PUBLISHED, {})
        then = {**asdict(recipe), **preset.options, **preset.trainer}
    recipe_now = {**asdict(Recipe()), **identity.recipe}  # which says nothing of what older versions did not know
    now = {**recipe_now, **options, **(identity.backbone.training or {}), **identity.trainer}
    absent = {name: None for name in then if name not in now}
    odd = () if recipe_now["objective"] == "grpo" else REWARDED
    rows = [Setting(name, _text(name, value), _text(name, then[name]) if name in then else None)
            for name, value in {**now, **absent}.items() if name not in odd]  # fmt: skip
    return rows, preset is not None


def _published(backbone: str) -> Preset | None:
    """Return the published preset of a backbone; None where it has none, or is not installed here."""
    try:
        presets: Mapping[str, Preset] = find_backbone(backbone)[0].load().presets
    except UserError:
        return None
    return presets.get(PUBLISHED)


def _text(name: str, value: Any) -> str:
    """Return the value of a setting as it is typed; what is not set is a dash."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        value = [f"{key}={each}" for key, each in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or ("all" if name == "targets" else "–")
    return value if isinstance(value, str) else json.dumps(value)


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other
