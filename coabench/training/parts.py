"""Which parts of a model a training changes, how, and with which learning rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from coabench.backbone import Trainee
from coabench.errors import UserError, did_you_mean
from coabench.recipe import Recipe
from coabench.support.adapter_config import PREFIX


@dataclass(frozen=True)
class Modules:
    """The full names of the modules that a training changes.

    Attributes:
        lora: those that get a LoRA.
        whole: those that are trained whole beside it, PEFT's ``modules_to_save``.
    """

    lora: tuple[str, ...]
    whole: tuple[str, ...] = ()

    @classmethod
    def of(cls, trainee: Trainee, recipe: Recipe) -> Self:
        """Find them in a model that PEFT has not wrapped yet.

        Raises:
            UserError: a name is none of a part or a module, or cannot be trained so.
        """
        whole = _whole(trainee, recipe)
        return cls(_lora(trainee, recipe, whole), whole)


def _lora(trainee: Trainee, recipe: Recipe, whole: Sequence[str]) -> tuple[str, ...]:
    """Return the modules of the targets that are not trained whole."""
    for part in recipe.targets:
        if part not in trainee.groups:
            raise UserError(
                f"--targets {part} matches no module of this backbone",
                expected=", ".join(f"{name} ({len(modules)} modules)" for name, modules in trainee.groups.items()),
                remedy=f"{did_you_mean(part, list(trainee.groups))}correct --targets",
            )
    chosen = [name for part in recipe.targets or trainee.groups for name in trainee.groups[part]]
    left = tuple(name for name in chosen if not _below(name, whole))
    if chosen and not left:
        raise UserError(
            "--modules-to-save leaves nothing for a LoRA",
            found=f"{len(chosen)} modules of --targets, all trained whole",
            remedy="add a part to --targets, or pass --full with these --targets",
        )
    return left


def _whole(trainee: Trainee, recipe: Recipe) -> tuple[str, ...]:
    """Return the modules that ``--modules-to-save`` names.

    A part or a module stands for the modules in it, see `_owners`. Parameters of a module that holds another part too
    (the separators of Phi-3.5-vision) stay as they are.
    """
    if not recipe.modules_to_save:
        return ()
    modules = dict(trainee.module.named_modules())
    chosen: dict[str, None] = {}
    for wanted in recipe.modules_to_save:
        if wanted not in trainee.parts and wanted not in modules:
            raise UserError(
                f"--modules-to-save {wanted} is no part and no module of this backbone",
                expected=f"{', '.join(trainee.parts)}, or the full name of a module",
                remedy=f"{did_you_mean(wanted, [*trainee.parts, *modules])}correct --modules-to-save",
            )
        if not (own := _owners(trainee, wanted)):
            raise UserError(
                f"--modules-to-save {wanted} has no module to train: no answer depends on its weights",
                remedy="leave it out",
            )
        chosen |= dict.fromkeys(own)
    _check_savable(trainee, tuple(chosen), tuple(modules))
    return tuple(chosen)


def _owners(trainee: Trainee, wanted: str) -> list[str]:
    """Return the outermost modules of a part or a module that have parameters of their own, all in it and in use."""
    unused, owners = tuple(f"{name}." for name in trainee.unused), list[str]()

    def chosen(name: str) -> bool:
        inside = part_of(name, trainee) == wanted if wanted in trainee.parts else name.startswith(f"{wanted}.")
        return inside and not name.startswith(unused)

    for name, module in trainee.module.named_modules():
        own = name and [*module.parameters(recurse=False)] and not _below(name, owners)
        if own and all(chosen(f"{name}.{each}") for each, _ in module.named_parameters()):
            owners.append(name)
    return owners


def _below(name: str, modules: Iterable[str]) -> bool:
    """Whether a module is one of some modules, or in one."""
    return f"{name}.".startswith(tuple(f"{module}." for module in modules))


def _check_savable(trainee: Trainee, chosen: Sequence[str], modules: Sequence[str]) -> None:
    """Refuse (`UserError`) what PEFT would do otherwise: it copies modules, and finds them by how their names end."""
    names: dict[int, list[str]] = {}
    for name, parameter in trainee.module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for name in chosen:
        for parameter in trainee.module.get_submodule(name).parameters():
            if len(names[id(parameter)]) > 1:
                raise UserError(
                    f"--modules-to-save: the weight of {name} is tied to that of another module",
                    found=" and ".join(names[id(parameter)]),
                    remedy="leave it out: the copy that is trained would not be tied any more",
                )
        if others := [other for other in modules if other != name and other.endswith(name)]:
            raise UserError(
                f"--modules-to-save: PEFT takes {name} for other modules, too",
                found=", ".join(others[:3]),
                remedy="leave it out",
            )


def fully_trained(trainee: Trainee, recipe: Recipe) -> set[str]:
    """Return the names of the parameters that a full training changes."""
    chosen = recipe.targets or tuple(trainee.parts)
    unused = tuple(f"{name}." for name in trainee.unused)
    names = [name for name, _ in trainee.module.named_parameters() if not name.startswith(unused)]
    return {name for name in names if part_of(name, trainee) in chosen}


def part_of(parameter: str, trainee: Trainee) -> str:
    """Return the part of the model that a parameter belongs to."""
    name = parameter.removeprefix(PREFIX)
    return next(part for part, prefix in trainee.parts.items() if name.startswith(prefix))


# -- learning rates ---------------------------------------------------------------------------------------------------


def trained_parts(trainee: Trainee, recipe: Recipe, modules: Modules) -> list[str]:
    """Return the parts in which something is trained."""
    names = fully_trained(trainee, recipe) if recipe.full else (*modules.lora, *modules.whole)
    trained = {part_of(f"{name}.", trainee) for name in names}
    return [part for part in trainee.parts if part in trained]


def check_rates(trainee: Trainee, recipe: Recipe, modules: Modules) -> None:
    """Check that ``--part-lr`` names parts that are trained; `UserError` where it does not."""
    trained = trained_parts(trainee, recipe, modules)
    for part in recipe.part_lr:
        if part not in trained:
            known = part in trainee.parts
            raise UserError(
                f"--part-lr {part}: " + ("this part is not trained" if known else "this backbone has no such part"),
                expected=", ".join(trained),
                remedy=("" if known else did_you_mean(part, list(trainee.parts))) + "correct --part-lr or --targets",
            )


def has_rates(recipe: Recipe) -> bool:
    """Whether not all parameters have the same learning rate."""
    return bool(recipe.part_lr) or recipe.lora_plus != 1


def rate_of(parameter: str, trainee: Trainee, recipe: Recipe) -> float:
    """Return the learning rate of a parameter, by its name in the model that is trained.

    LoRA+ raises that of B of linear layers. An embedding's LoRA is left alone: PEFT begins it with A = 0, not B.
    """
    rate = recipe.part_lr.get(part_of(parameter, trainee), recipe.learning_rate)
    return rate * recipe.lora_plus if ".lora_B." in parameter else rate


def count_by_rate(trainee: Trainee, recipe: Recipe, sizes: Iterator[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return how many parameters of which part learn with which rate, as the manifest has it.

    Args:
        sizes: name and size of every parameter that is trained.
    """
    counts: Counter[tuple[str, str, float]] = Counter()
    for name, size in sizes:
        kind = "LoRA" if ".lora_" in name else "whole"
        kind = "LoRA, B" if ".lora_B." in name and recipe.lora_plus != 1 else kind
        counts[part_of(name, trainee), kind, rate_of(name, trainee, recipe)] += size
    return [
        {"part": part, "trained": kind, "learning_rate": rate, "parameters": count}
        for (part, kind, rate), count in sorted(counts.items())
    ]
