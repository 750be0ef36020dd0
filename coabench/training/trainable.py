"""The model with what a recipe trains switched on: a LoRA of PEFT's in one of its variants, or every parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from coabench.backbone import Trainee
from coabench.recipe import Recipe
from coabench.training.parts import Modules, fully_trained

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def trainable(trainee: Trainee, recipe: Recipe) -> nn.Module:
    """Return the module with what the recipe trains switched on: LoRA by PEFT, or every parameter in use."""
    from coabench.training.lora_layer import speed_up

    module = trainee.module
    if recipe.full:
        trained = fully_trained(trainee, recipe)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in trained)
    else:
        module = _wrapped(module, trainee, recipe)
        _keep_saved_in_float32(module)
        speed_up(module)
    if recipe.checkpointing:
        module.gradient_checkpointing_enable()  # type: ignore[operator]
    return module


def trained_sizes(trainee: Trainee, recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Yield name and size of every parameter that `trainable` would switch on, of a module without memory."""
    if recipe.full:
        trained = fully_trained(trainee, recipe)
        yield from ((name, p.numel()) for name, p in trainee.module.named_parameters() if name in trained)
    else:
        yield from sizes(_wrapped(deepcopy(trainee.module), trainee, recipe, low_cpu_mem_usage=True))


def sizes(model: nn.Module) -> Iterator[tuple[str, int]]:
    """Yield name and size of every parameter that is trained."""
    yield from ((name, p.numel()) for name, p in model.named_parameters() if p.requires_grad)


def _wrapped(module: nn.Module, trainee: Trainee, recipe: Recipe, **how: Any) -> nn.Module:
    """Return a module in PEFT's layers."""
    from peft import LoraConfig, PeftModel

    modules = Modules.of(trainee, recipe)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # PEFT divides it; it need not be whole
        lora_dropout=recipe.dropout,
        target_modules=list(modules.lora),
        use_dora=recipe.dora,
        use_rslora=recipe.rslora,
        modules_to_save=list(modules.whole) or None,
    )
    return PeftModel(module, config, **how)


def _keep_saved_in_float32(model: nn.Module) -> None:
    """Have modules that are trained whole learn in float32, as PEFT has the factors of a LoRA.

    In bfloat16 most steps of AdamW are smaller than the distance of two numbers, and are lost.
    """
    import torch
    from peft.utils import ModulesToSaveWrapper

    def widen(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(each.float() if torch.is_tensor(each) and each.is_floating_point() else each for each in inputs)

    for module in model.modules():
        for copy in module.modules_to_save.values() if isinstance(module, ModulesToSaveWrapper) else ():
            kind = next(copy.parameters()).dtype
            if kind != torch.float32:
                copy.float()
                copy.register_forward_pre_hook(widen)
                copy.register_forward_hook(_narrower(kind))


def _narrower(kind: torch.dtype) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    return lambda _, __, made: made.to(kind)
