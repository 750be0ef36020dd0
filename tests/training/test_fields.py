"""``--trainer``: what is refused where the model is sharded over the processes."""

from __future__ import annotations

import pytest

from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.training.fields import check_sharding


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (Recipe(dev=0.1), "it cannot answer"),
        (Recipe(dev=0.0, full=True), "nor be written whole"),
        (Recipe(dev=0.0, objective="grpo"), "it cannot answer"),
        (Recipe(dev=0.0, load="4bit"), "cannot shard weights in 4 bits"),
        (Recipe(dev=0.0, dora=True), "DoRA needs whole weights"),
        (Recipe(dev=0.0, lora_plus=16.0), "which parameters are whose"),
        (Recipe(dev=0.0, part_lr={"vision": 1e-5}), "which parameters are whose"),
        (Recipe(dev=0.0, modules_to_save=("lm_head",)), "which parameters are whose"),
    ],
)
def test_a_sharded_training_is_a_plain_lora_without_a_development_part(
    monkeypatch: pytest.MonkeyPatch, name: str, recipe: Recipe, problem: str
) -> None:
    with pytest.raises(UserError, match=f"^{name} .*{problem}"):
        check_sharding({name: "settings"}, recipe, "cuda:0")
    check_sharding({}, recipe, "cuda:0")
    check_sharding({name: "settings"}, Recipe(dev=0.0), "cuda:0")
    for switch in ("true", "True", "1"):  # of `accelerate launch`, or exported by hand
        monkeypatch.setenv(f"ACCELERATE_USE_{name.upper()}", switch)
        with pytest.raises(UserError, match=f"^{name} .*{problem}"):
            check_sharding({}, recipe, "cuda:0")
    monkeypatch.setenv(f"ACCELERATE_USE_{name.upper()}", "false")
    check_sharding({}, recipe, "cuda:0")
