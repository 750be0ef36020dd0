"""Which parts of a model a training changes."""

from __future__ import annotations

from coabench.backbone import Trainee
from coabench.errors import UserError, did_you_mean
from coabench.recipe import Recipe


def targets(trainee: Trainee, recipe: Recipe) -> list[str]:
    """Return the full names of the modules that get a LoRA; `UserError` where a target names no part."""
    for part in recipe.targets:
        if part not in trainee.groups:
            raise UserError(
                f"--targets {part} matches no module of this backbone",
                expected=", ".join(f"{name} ({len(modules)} modules)" for name, modules in trainee.groups.items()),
                remedy=f"{did_you_mean(part, list(trainee.groups))}correct --targets",
            )
    return [name for part in recipe.targets or trainee.groups for name in trainee.groups[part]]


def fully_trained(trainee: Trainee, recipe: Recipe) -> set[str]:
    """Return the names of the parameters that a full training changes."""
    chosen = recipe.targets or tuple(trainee.parts)
    unused = tuple(f"{name}." for name in trainee.unused)
    names = [name for name, _ in trainee.module.named_parameters() if not name.startswith(unused)]
    return {name for name in names if part_of(name, trainee) in chosen}


def part_of(parameter: str, trainee: Trainee) -> str:
    """Return the part of the model that a parameter belongs to."""
    return next(part for part, prefix in trainee.parts.items() if parameter.startswith(prefix))
