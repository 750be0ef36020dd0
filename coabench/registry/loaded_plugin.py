"""A plugin that is installed, why it is left out where it is, and what the user can do about that."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

import pluggy

from coabench.errors import one_line, with_type
from coabench.registry.entrypoints import Unreadable, name_of, version_of

DISABLE = "COABENCH_DISABLE_PLUGINS"


@dataclass
class LoadedPlugin:
    """An installed plugin, and whether it was loaded.

    Attributes:
        name: its entry-point name.
        module: what its entry point names.
        status: ``ok``, ``failed`` or ``disabled``.
        error: why it failed, in one line.
        remedy: what the user can do about it, in one line.
        api: the version of the plugin interface that it says it was written for; None where it does not say.
        registered: kind -> names; commands among them once they were added.
        targets: what it registered, as ``"module:attribute"``.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "ok"
    error: str | None = None
    remedy: str | None = None
    hooks: tuple[str, ...] = ()
    api: int | None = None
    registered: dict[str, list[str]] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    manager: pluggy.PluginManager | None = field(default=None, repr=False, compare=False)

    @property
    def packages(self) -> set[str]:
        """The top-level packages of its own code."""
        return {module.partition(":")[0].partition(".")[0] for module in (self.module, *self.targets)}

    def takes(self, hook: str) -> set[str]:
        """Return the arguments of a hook that this plugin does not leave out."""
        caller = getattr(self.manager.hook, hook) if self.manager is not None else None
        return {name for impl in caller.get_hookimpls() for name in impl.argnames} if caller else set()

    def call(self, hook: str, **arguments: Any) -> None:
        """Call a hook of this plugin alone."""
        if self.manager is not None and hook in self.hooks:
            getattr(self.manager.hook, hook)(**arguments)


class Refused(Exception):
    """A plugin that cannot be let in, and what the user can do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


def reason_of(error: BaseException) -> str:
    """Return why a plugin was given up, in one line."""
    return one_line(error) if isinstance(error, Refused) else with_type(error)


def advice(plugin: LoadedPlugin) -> str:
    """Return what can be done about a plugin that fails."""
    return (
        f"upgrade {plugin.distribution} or report it to its author; until then uninstall it, or set "
        f"{DISABLE}={plugin.name}"
    )


def one_of_two(plugin: LoadedPlugin) -> str:
    return f"set {DISABLE} to the plugin that you do not need, or uninstall it; this one is {plugin.distribution}"


def describe(entry: EntryPoint | Unreadable) -> LoadedPlugin:
    if isinstance(entry, Unreadable):
        return LoadedPlugin(entry.name, "", entry.name, "unknown")
    dist = entry.dist
    if dist is None:
        from coabench.base.version import __version__

        return LoadedPlugin(entry.name, entry.value, "coabench", __version__)
    return LoadedPlugin(entry.name, entry.value, name_of(dist) or "unknown", version_of(dist))
