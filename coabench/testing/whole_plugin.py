"""What ``coabench plugins check`` does: find a plugin, and run every check that concerns it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.errors import UserError, did_you_mean
from coabench.registry.loaded_plugin import LoadedPlugin
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import singular
from coabench.testing import (
    backbones,
    commands,
    datasets,
    detectors,
    executors,
    metrics,
    observers,
    parsers,
    registration,
    rewrites,
    sections,
    strategies,
    transforms,
)
from coabench.testing.findings import Finding

if TYPE_CHECKING:
    import click

BY_NAME: Mapping[str, Callable[[str], list[Finding]]] = {
    "strategies": strategies.check,
    "metrics": metrics.check,
    "sections": sections.check,
    "executors": executors.check,
    "parsers": parsers.check,
    "transforms": transforms.check,
    "rewrites": rewrites.check,
}
"""The checks that need to know nothing but what something is registered as."""


@dataclass(frozen=True)
class CheckOptions:
    """What the user provides for a check.

    Attributes:
        models: backbone -> what stands after the colon of ``--backbone NAME:MODEL``.
        assignments: ``--set`` options, for whatever declares them.
    """

    models: Mapping[str, str | None] = field(default_factory=dict)
    assignments: Mapping[str, str] = field(default_factory=dict)
    data_root: Path | None = None
    weights: Path | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str | None = None


def find(name: str) -> list[LoadedPlugin]:
    """Return the plugins called *name*, or those of the distribution *name*.

    Raises:
        UserError: there is none.
    """
    loaded = get_plugins().loaded
    if plugins := [p for p in loaded if p.name == name]:
        return plugins
    if plugins := [p for p in loaded if _folded(p.distribution) == _folded(name)]:
        return plugins
    known = sorted({p.name for p in loaded} | {p.distribution for p in loaded})
    raise UserError(
        f"there is no plugin or distribution named {name!r} with an entry point in the group 'coabench'",
        expected=", ".join(known),
        remedy=f"{did_you_mean(name, known)}install it first; `coabench plugins list` shows what is there",
    )


def _folded(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def check(
    plugin: LoadedPlugin, cli: click.Group, options: CheckOptions | None = None
) -> Iterator[tuple[str, list[Finding]]]:
    """Yield (what was checked, what is wrong with it) for a plugin and everything that it registered.

    Args:
        cli: the command line, to which plugins have added their commands.
        options: what the user provides.
    """
    options = options or CheckOptions()
    yield f"plugin {plugin.name}", registration.check(plugin)
    if plugin.status != "ok":
        return
    for kind, names in plugin.registered.items():
        for name in names:
            yield f"{singular(kind)} {name}", _check_registered(kind, name, cli, options)
    if any(hook in plugin.hooks for hook in observers.HOOKS):
        yield f"observers of {plugin.name}", observers.check(plugin)


def check_options(plugins: Sequence[LoadedPlugin], options: CheckOptions) -> None:
    """Refuse (`UserError`) what no plugin here can use: a backbone or an option that none of them has."""
    names = [name for plugin in plugins for name in plugin.registered.get("backbones", ())]
    for name in options.models:
        if name not in names:
            raise UserError(
                f"none of these plugins has a backbone {name!r}",
                expected=", ".join(names) or "no backbone",
                remedy=f"{did_you_mean(name, names)}correct --backbone",
            )
    known = sorted({
        option
        for plugin in plugins
        for kind in ("backbones", "datasets", "detectors")
        for name in plugin.registered.get(kind, ())
        for option in _declared_options(kind, name)
    })  # fmt: skip
    for key in options.assignments:
        if key not in known:
            raise UserError(
                f"--set {key}: nothing here has this option",
                expected=", ".join(known) or "no options",
                remedy=f"{did_you_mean(key, known)}correct --set",
            )


def _declared_options(kind: str, name: str) -> list[str]:
    try:
        return [f.name for f in fields(get_plugins().registries[kind][name].load().Options)]
    except Exception:  # the check reports what is wrong with it
        return []


def _check_registered(kind: str, name: str, cli: click.Group, options: CheckOptions) -> list[Finding]:
    assignments = {key: value for key, value in options.assignments.items() if key in _declared_options(kind, name)}
    if by_name := BY_NAME.get(kind):
        return by_name(name)
    match kind:
        case "commands":
            return commands.check(cli.commands[name], name)
        case "backbones":
            return backbones.check(
                name, options.models.get(name), assignments=assignments, adapter=options.adapter, device=options.device,
                dtype=options.dtype, remote=name in options.models,
            )  # fmt: skip
        case "datasets":
            return datasets.check(name, options.data_root, assignments=assignments)
    takes = get_plugins().detectors[name].details.get("weights", ())
    fits = options.weights is not None and options.weights.suffix.lower() in takes
    return detectors.check(name, options.weights if fits else None, assignments=assignments)
