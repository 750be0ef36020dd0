"""The isolated plugin loader, and the registries that plugins fill.

Every plugin is loaded on its own: one that raises, misspells a hook or collides with another is left out, its
registrations with it, and `Plugins.loaded` says why. Nothing else is disturbed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from coabench import hookspecs
from coabench.errors import UserError, did_you_mean
from coabench.resources import CHECKOUT

KINDS = ("backbones", "strategies", "datasets", "detectors", "metrics")
DISABLE = "COABENCH_DISABLE_PLUGINS"
STRICT = "COABENCH_STRICT_PLUGINS"


@dataclass(frozen=True)
class Registration:
    """What a plugin registered under a name; the target is imported when it is used."""

    name: str
    target: str
    plugin: str
    version: str
    description: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """Import and return the target."""
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"{self.name!r} of plugin {self.plugin!r} cannot be imported",
                expected=f"{attribute!r} in module {module!r}",
                found=f"{type(error).__name__}: {error}",
                remedy=f"install what is missing, or report it to the author of {self.plugin!r}",
            ) from error


class Registry(Mapping[str, Registration]):
    """The registrations of one kind, by name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Registration] = {}

    def __getitem__(self, name: str) -> Registration:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[Registration]) -> None:
        self._entries.update({entry.name: entry for entry in entries})

    def find(self, name: str) -> Registration:
        """Return the registration of *name*; `UserError` with the closest name where there is none."""
        if name not in self:
            raise UserError(
                f"there is no {singular(self.kind)} named {name!r}",
                expected=", ".join(self) or "none is registered",
                remedy=f"{did_you_mean(name, list(self))}`coabench list` shows what there is",
            )
        return self[name]


def singular(kind: str) -> str:
    """Return "data set" for "datasets", and so on."""
    return {"strategies": "strategy", "datasets": "data set"}.get(kind, kind.rstrip("s"))


@dataclass
class LoadedPlugin:
    """A plugin as found, with its fate.

    Attributes:
        name: its entry-point name.
        status: ``ok``, ``failed`` or ``disabled``.
        error: what went wrong, in one line.
        registered: kind -> names.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "ok"
    error: str | None = None
    hooks: tuple[str, ...] = ()
    registered: dict[str, list[str]] = field(default_factory=dict)


class Plugins:
    """The loaded plugins and what they registered."""

    def __init__(self, entries: Iterable[EntryPoint]) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.loaded: list[LoadedPlugin] = []
        self.registries = {kind: Registry(kind) for kind in KINDS}
        disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
        for entry in entries:
            plugin = _describe(entry)
            self.loaded.append(plugin)
            if plugin.name in disabled or "all" in disabled:
                plugin.status = "disabled"
                continue
            try:
                self._load(entry, plugin)
            except Exception as error:
                self._give_up(plugin, error)

    backbones = property(lambda self: self.registries["backbones"])
    strategies = property(lambda self: self.registries["strategies"])
    datasets = property(lambda self: self.registries["datasets"])
    detectors = property(lambda self: self.registries["detectors"])
    metrics = property(lambda self: self.registries["metrics"])

    def _load(self, entry: EntryPoint, plugin: LoadedPlugin) -> None:
        module = entry.load()
        if self.manager.register(module, name=plugin.name) is None:
            raise ValueError(f"the entry-point name {plugin.name!r} is blocked")
        self.manager.check_pending()  # names a misspelt hook
        plugin.hooks = tuple(sorted(caller.name for caller in self.manager.get_hookcallers(module) or ()))
        collected: dict[str, list[Registration]] = {}
        for kind in KINDS:
            collected[kind] = []
            self._call_one(plugin.name, f"coabench_register_{kind}", register=self._collector(kind, plugin, collected))
        for kind, entries in collected.items():
            self.registries[kind].add(entries)
            if entries:
                plugin.registered[kind] = [entry.name for entry in entries]

    def _collector(
        self, kind: str, plugin: LoadedPlugin, collected: dict[str, list[Registration]]
    ) -> Callable[..., None]:
        def register(name: str, target: str, *, description: str = "", **details: Any) -> None:
            taken = self.registries[kind].get(name)
            if taken or any(name == entry.name for entry in collected[kind]):
                owner = taken.plugin if taken else plugin.name
                raise ValueError(f"{name!r} in {kind} is already registered by plugin {owner!r}")
            if not isinstance(target, str) or target.count(":") != 1:
                raise ValueError(f"the target of {name!r} is {target!r}; it must be 'module:attribute'")
            collected[kind].append(Registration(name, target, plugin.name, plugin.version, description, details))

        return register

    def _call_one(self, name: str, hook: str, **arguments: Any) -> None:
        others = [p for n, p in self.manager.list_name_plugin() if n != name and p is not None]
        self.manager.subset_hook_caller(hook, remove_plugins=others)(**arguments)

    def _give_up(self, plugin: LoadedPlugin, error: Exception) -> None:
        if os.environ.get(STRICT) == "1":
            raise UserError(
                f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) failed to load",
                found=f"{type(error).__name__}: {error}",
                remedy=f"repair or uninstall it, set {DISABLE}={plugin.name}, or unset {STRICT}",
            ) from error
        plugin.status, plugin.error = "failed", f"{type(error).__name__}: {error}"
        if self.manager.has_plugin(plugin.name):
            self.manager.unregister(name=plugin.name)

    def notify(self, hook: str, **arguments: Any) -> list[str]:
        """Call an observer hook of every plugin on its own.

        A plugin that raises is not called again.

        Returns:
            what went wrong, one line per plugin.
        """
        problems = []
        for plugin in self.loaded:
            if plugin.status == "ok" and hook in plugin.hooks:
                try:
                    self._call_one(plugin.name, hook, **arguments)
                except Exception as error:
                    self._give_up(plugin, error)
                    problems.append(f"plugin {plugin.name!r} failed in {hook} and is left out: {plugin.error}")
        return problems


def _describe(entry: EntryPoint) -> LoadedPlugin:
    dist = entry.dist
    if dist is None:
        from coabench import __version__

        return LoadedPlugin(entry.name, entry.value, "coabench", __version__)
    return LoadedPlugin(entry.name, entry.value, dist.name, dist.version)


def _find() -> list[EntryPoint]:
    """Return the entry points: ours first, so that a stranger cannot take a built-in's name; then by name."""
    found = list(entry_points(group=hookspecs.PROJECT))
    if not any(entry.dist and entry.dist.name == hookspecs.PROJECT for entry in found):
        found += _from_checkout()
    own = hookspecs.PROJECT
    return sorted(found, key=lambda e: (bool(e.dist and e.dist.name != own), e.name, e.value))


def _from_checkout() -> list[EntryPoint]:
    """Return our own entry points where the bench runs from a checkout that was never installed."""
    import tomllib

    project = CHECKOUT / "pyproject.toml"
    if not project.is_file():
        return []
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"][hookspecs.PROJECT]
    sys.path.insert(0, str(CHECKOUT / "plugins"))
    return [EntryPoint(name, value, hookspecs.PROJECT) for name, value in declared.items()]


@cache
def get_plugins() -> Plugins:
    """Return the plugins installed here, loaded once per process."""
    return Plugins(_find())
