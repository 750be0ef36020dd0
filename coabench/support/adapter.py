"""An adapter, merged into its model by PEFT: every tensor finds its place, or it is refused before weights are read."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coabench.errors import UserError, first_line
from coabench.support.adapter_config import LORA, PREFIX, lora_ranks, method_of, peft_config, pin_lora, quiet
from coabench.support.adapter_folder import CONFIG, AdapterFolder

_FIRST = re.compile(r"\.lora_(embedding_)?A\b")
"""The factors of LoRA that change nothing by themselves."""


class Adapter:
    """The adapter in a folder, of any method that `coabench.support.adapter_config` lists.

    Attributes:
        method: as PEFT spells it.
        notes: sentences for the user, complete after `merge`.

    Raises:
        UserError: its config asks for what cannot be merged exactly.
    """

    def __init__(self, folder: AdapterFolder) -> None:
        self._folder = folder
        self._config: Any = peft_config(folder.path / CONFIG, folder.config or {})
        self.method = method_of(self._config)
        self.notes: list[str] = []
        self._names: dict[str, str] = {}
        self._replaced: set[int] = set()

    def fingerprint(self) -> str:
        """Return a SHA-256, in hex, over config and weights."""
        return self._folder.fingerprint()

    def check(self, blueprint: nn.Module, rename: Callable[[str], str] = str, *, merges: bool = True) -> None:
        """Compare it with a model whose parameters have no memory, which is changed by that.

        Args:
            blueprint: the model.
            merges: whether it is to be merged; else it is to stand beside layers that are quantised, see `attach`.
            rename: what a part of the model was called in earlier versions -> its name today. Taken where that leads
                further into the model, and noted.

        Raises:
            UserError: a tensor belongs to no module of the model or has another shape, or a module gets none.
        """
        if not merges and self.method != LORA:
            raise UserError(
                f"the adapter in {self._folder.path} cannot stand beside weights in 8 or 4 bits",
                expected="a LoRA",
                found=self.method,
                remedy="leave out --load, or merge it (`coabench adapters export --as merged`) and load the result",
            )
        entries = self._folder.tensors.entries
        modules = {name for name, _ in blueprint.named_modules()}
        self._names = {stored: _name(stored, modules, rename) for stored in entries}
        if twice := entries.keys() - {name: stored for stored, name in self._names.items()}.values():
            raise self._unfit(f"two tensors that are called {self._names[min(twice)]}")
        self._note_renamed()
        if self.method == LORA and not self._config.target_parameters:
            self._pin(modules, rename)
        tensors = {name: torch.empty(entries[stored].shape, device="meta") for stored, name in self._names.items()}
        with quiet():
            self._around(blueprint, tensors, low_cpu_mem_usage=True)

    def merge(self, model: nn.Module, stored: Callable[[str], Tensor] | None = None) -> Any:
        """Return the model, for which it was checked, with the adapter merged into its weights.

        Each module is merged in float32 and rounded once.

        Args:
            model: the model, on its device, in its precision.
            stored: name of a parameter -> its values as they are stored; None to take those of the model.
        """
        names = {id(value): name for name, value in model.named_parameters()}
        with quiet():
            wrapped = self._around(model, self._tensors())
            changes = _trains_whole_modules(wrapped)
            for base, layers in _layers(wrapped).items():
                kind = next(base.parameters()).dtype
                for parameter in base.parameters():
                    if stored and id(parameter) in names and id(parameter) not in self._replaced:
                        parameter.data = stored(names[id(parameter)]).to(parameter.device)
                    parameter.data = parameter.data.float()
                before = None if changes else [parameter.detach().clone() for parameter in base.parameters()]
                for layer in layers:
                    self._merge(layer)
                after = layers[0].get_base_layer()
                changes = changes or not all(map(torch.equal, before or (), after.parameters()))
                after.to(kind)
            merged = wrapped.merge_and_unload()
        if not changes:
            self.notes.append(nothing_changes(self._folder.path))
        return merged

    def attach(self, model: nn.Module) -> None:
        """Put the adapter beside the layers of a model, for which it was checked, in place.

        What it adds is added in float32, as in its training; the weights of the model stay as they are.
        """
        tensors = self._tensors()
        with quiet():
            self._around(model, tensors).eval().requires_grad_(False)
        if not any(bool(tensor.any()) for name, tensor in tensors.items() if not _FIRST.search(name)):
            self.notes.append(nothing_changes(self._folder.path))

    def _tensors(self) -> dict[str, Tensor]:
        return {name: self._folder.tensors.read(key) for key, name in self._names.items()}

    def _around(self, model: nn.Module, tensors: Mapping[str, Tensor], **how: Any) -> Any:
        """Return the model in PEFT's layers with these weights; `UserError` where not all of them find a place."""
        from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict

        base: dict[int, list[str]] = {}
        for name, value in model.state_dict(keep_vars=True).items():
            base.setdefault(id(value), []).append(name)
        try:
            wrapped = PeftModel(model, copy.deepcopy(self._config), **how)
        except Exception as error:  # a config may ask for anything that PEFT knows
            raise self._unfit(first_line(error)) from None
        for parameter in (each for module in _layers(wrapped) for each in module.parameters()):
            if len(names := base.get(id(parameter), [])) > 1:
                raise self._unfit(f"it updates a weight that modules of the model share: {' and '.join(names)}")
        saved = {_stem(name) for name in get_peft_model_state_dict(wrapped, save_embedding_layers=False)}
        own: dict[int, list[str]] = {}  # by identity: some methods have one tensor under several names
        for name, value in wrapped.state_dict(keep_vars=True).items():
            if id(value) not in base:
                if _stem(name) in saved:
                    own.setdefault(id(value), []).append(name)
            elif name in tensors and self._differs(name, tensors[name], value):
                self._replaced.add(id(value))
        try:
            result: Any = set_peft_model_state_dict(wrapped, dict(tensors), **how)
        except KeyError as error:
            raise self._unfit(f"no weights for {error.args[0]}") from None
        except (RuntimeError, ValueError) as error:
            sizes = [line for line in str(error).splitlines() if "size mismatch" in line]
            raise self._unfit(first_line(sizes[0] if sizes else error)) from None
        absent = set(result.missing_keys)
        for what, names in (
            ("no place for", result.unexpected_keys),
            ("no weights for", [keys[0] for keys in own.values() if absent.issuperset(keys)]),
        ):
            if names:
                raise self._unfit(f"{what} {_without_adapter(min(names))} ({len(names)} in all)")
        return wrapped

    # -- names --------------------------------------------------------------------------------------------------------

    def _note_renamed(self) -> None:
        moved = {old: new for old, new in self._names.items() if not new.endswith(_without_adapter(old))}
        if moved:
            old = min(moved)
            self.notes.append(
                f"{len(moved)} of the {len(self._names)} tensors of the adapter in {self._folder.path} have names of an"
                f" earlier version and were renamed: {old} is taken for {moved[old]}"
            )

    def _pin(self, modules: set[str], rename: Callable[[str], str]) -> None:
        ranks = lora_ranks(self._folder.tensors.entries)
        today = {module: _name(module, modules, rename).removeprefix(PREFIX) for module in ranks}
        if set(today.values()) <= modules:
            try:
                pin_lora(self._config, ranks, today)
            except (ValueError, TypeError, re.error) as error:
                raise self._unfit(str(error)) from None

    def _differs(self, name: str, copied: Tensor, base: Tensor) -> bool:
        """Whether a copy of one of the model's own tensors differs from it; PEFT takes it, which is noted."""
        if copied.shape != base.shape or base.is_meta or torch.equal(copied.to(base), base):
            return False
        self.notes.append(
            f"the adapter in {self._folder.path} holds {name} as its base had it, which differs from this model's;"
            " it is taken, as PEFT does"
        )
        return True

    def _merge(self, layer: Any) -> None:
        try:
            layer.merge()
        except Exception as error:  # each method has errors of its own for what it cannot merge
            raise self._unfit(f"{self.method}: {first_line(error)}") from None

    def _unfit(self, found: str) -> UserError:
        return UserError(
            f"the adapter in {self._folder.path} does not fit this model",
            expected=f"a {self.method} that was trained on it, every tensor of which is used",
            found=found,
            remedy="correct --adapter or --backbone; nothing of an adapter is dropped silently",
        )


def nothing_changes(folder: Path) -> str:
    """Return the note on an adapter without effect."""
    return f"the adapter in {folder} changes nothing: it leaves every weight as it is"


def _name(stored: str, modules: Set[str], rename: Callable[[str], str]) -> str:
    """Return how PEFT names a tensor today: with its prefix, without the adapter's name, by the model's modules."""
    name = _without_adapter(stored)
    name = name if name.startswith("base_model.") else PREFIX + name
    if not name.startswith(PREFIX):
        return name
    own = name.removeprefix(PREFIX)
    return PREFIX + max(own, rename(own), key=lambda each: _depth(each, modules))


def _without_adapter(name: str) -> str:
    """Return a tensor's name without that of the adapter, which PEFT adds in the model and leaves out in files."""
    return re.sub(r"\.default(?=\.|$)", "", name)


def _stem(name: str) -> str:
    """Return a tensor's name without what PEFT leaves out of some in files: DoRA's magnitudes are no ``.weight``."""
    return _without_adapter(name).removesuffix(".weight")


def _depth(name: str, modules: Set[str]) -> int:
    """Return how many parts of a dotted name lead from module to module."""
    parts = name.split(".")
    return max((depth for depth in range(len(parts) + 1) if ".".join(parts[:depth]) in modules), default=0)


# -- PEFT's layers ----------------------------------------------------------------------------------------------------


def _layers(wrapped: nn.Module) -> dict[nn.Module, list[Any]]:
    """Map the modules that PEFT has wrapped to the layers around each, in the order of PEFT's merge."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: dict[nn.Module, list[Any]] = {}
    for module in wrapped.modules():
        if isinstance(module, BaseTunerLayer):
            layers.setdefault(module.get_base_layer(), []).append(module)
    return layers


def _trains_whole_modules(wrapped: nn.Module) -> bool:
    """Whether one of the modules that were trained whole (``modules_to_save``) differs from the model's own."""
    from peft.utils import ModulesToSaveWrapper

    return any(
        not torch.equal(own, trained)
        for module in wrapped.modules()
        if isinstance(module, ModulesToSaveWrapper)
        for copies in module.modules_to_save.values()
        for own, trained in zip(module.original_module.parameters(), copies.parameters(), strict=True)
    )
