"""Recipes: a preset's settings, changed by those of the user."""

from __future__ import annotations

import pytest

from coabench.errors import UserError
from coabench.recipe import Preset, Recipe, make_recipe

PRESETS = {"default": Preset({"rank": 8, "steps": 100}), "published": Preset({"rank": 32}, {"num_crops": "16"}, 2)}


def test_settings_change_the_preset_and_none_leaves_it() -> None:
    recipe, preset = make_recipe(PRESETS, "published", {"alpha": 4.0, "rank": None})
    assert recipe == Recipe(rank=32, alpha=4.0)
    assert preset is PRESETS["published"]


def test_an_objective_has_the_preset_of_its_name() -> None:
    presets = {**PRESETS, "grpo": Preset({"objective": "grpo", "group": 4})}
    assert make_recipe(presets, None, {"objective": "grpo"})[0] == Recipe(objective="grpo", group=4)
    assert make_recipe(PRESETS, None, {"objective": "grpo"})[0] == Recipe(objective="grpo", rank=8, steps=100)
    assert make_recipe(presets, None, {})[0].objective == "supervised"


def test_a_backbone_without_presets_has_the_defaults() -> None:
    assert make_recipe({}, None, {}) == (Recipe(), Preset())


@pytest.mark.parametrize(
    ("settings", "steps"), [({}, 100), ({"epochs": 2.0}, None), ({"epochs": 2.0, "steps": 7}, 7), ({"steps": 7}, 7)]
)
def test_epochs_replace_the_steps_of_the_preset(settings: dict[str, float], steps: int | None) -> None:
    assert make_recipe(PRESETS, None, settings)[0].steps == steps


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"learning_rate": 0.0}, "--lr 0.0 makes no sense"),
        ({"weight_decay": -1.0}, "--weight-decay -1.0 makes no sense"),
        ({"dropout": 1.0}, "--dropout 1.0 makes no sense"),
        ({"patience": 0}, "--patience 0 makes no sense"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_option(settings: dict[str, float], problem: str) -> None:
    with pytest.raises(UserError) as refused:
        make_recipe({}, None, settings)
    assert refused.value.problem == problem


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UserError, match="default, published"):
        make_recipe(PRESETS, "tuned", {})
