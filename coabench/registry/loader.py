"""The isolated plugin loader, which fills the registries.

Every plugin is loaded on its own, into a manager of its own: one that raises, exits, misspells a hook, needs a newer
coabench or collides with another is left out, its registrations with it, and `Plugins.loaded` says why and what to do.
Nothing else is disturbed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from coabench import hookspecs
from coabench.base.signals import is_interrupt
from coabench.base.text import safe
from coabench.errors import UserError, did_you_mean, one_line, with_type
from coabench.registry.built_in import BUILT_IN
from coabench.registry.entrypoints import Unreadable, find, name_of, version_of
from coabench.registry.loading_marks import again, died_in, marked
from coabench.registry.registrations import (
    KINDS,
    NAME,
    Registration,
    Registry,
    alias_taken,
    invalid_parts,
    singular,
)

if TYPE_CHECKING:
    import click

DISABLE = "COABENCH_DISABLE_PLUGINS"
STRICT = "COABENCH_STRICT_PLUGINS"
ENTRY = re.compile(r"[\w.]+(:[\w.]+)?")
"""What an entry point looks like."""


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


class _Refused(Exception):
    """A plugin that cannot be let in, and what the user can do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class Plugins:
    """The loaded plugins and what they registered."""

    def __init__(self, entries: Iterable[EntryPoint | Unreadable]) -> None:
        self.loaded: list[LoadedPlugin] = []
        self._given_up: list[LoadedPlugin] = []  # since an observer of theirs failed
        self.registries = {kind: Registry(kind, self._failed) for kind in KINDS}
        (
            self.backbones, self.strategies, self.datasets, self.detectors, self.metrics, self.sections, self.parsers,
            self.transforms, self.rewrites, self.executors,
        ) = self.registries.values()  # fmt: skip
        for kind, own in BUILT_IN.items():
            self.registries[kind].add(own)
        disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
        for entry in entries:
            plugin = _describe(entry)
            if disabled & {plugin.name, plugin.distribution, "all"}:
                plugin.status = "disabled"
            else:
                self._guarded(plugin, partial(self._load, entry, plugin))
            self.loaded.append(plugin)

    def _failed(self) -> list[str]:
        return [plugin.name for plugin in self.loaded if plugin.status == "failed"]

    def _load(self, entry: EntryPoint | Unreadable, plugin: LoadedPlugin) -> None:
        if isinstance(entry, Unreadable):
            raise _Refused(f"its metadata cannot be read: {entry.problem}", f"reinstall or uninstall {entry.name}")
        self._check_entry_name(plugin)
        _check_survived(plugin)
        with marked(plugin):
            self._enter(entry, plugin)

    def _enter(self, entry: EntryPoint, plugin: LoadedPlugin) -> None:
        loaded = _import(entry, plugin)
        plugin.api = _check_api(getattr(loaded, hookspecs.API_NAME, None), plugin)
        plugin.manager = _manager_of(loaded, plugin)
        callers = plugin.manager.get_hookcallers(loaded) or ()
        plugin.hooks = tuple(sorted(caller.name for caller in callers))
        collected: dict[str, list[Registration]] = {}
        for kind in KINDS:
            collected[kind] = []
            plugin.call(f"coabench_register_{kind}", register=self._collector(kind, plugin, collected))
        for kind, entries in collected.items():
            self.registries[kind].add(entries)
            if entries:
                plugin.registered[kind] = [entry.name for entry in entries]
                plugin.targets += [entry.target for entry in entries]

    def _check_entry_name(self, plugin: LoadedPlugin) -> None:
        for other in self.loaded:
            if other.name == plugin.name and other.status == "ok":
                raise _Refused(
                    f"the entry-point name {plugin.name!r} is taken by {other.distribution} {other.version}",
                    f"uninstall {plugin.distribution} or {other.distribution}, or ask the author of "
                    f"{plugin.distribution} for another entry-point name",
                )

    def _collector(
        self, kind: str, plugin: LoadedPlugin, collected: dict[str, list[Registration]]
    ) -> Callable[..., None]:
        def register(name: str, target: str, *, description: str = "", **details: Any) -> None:
            entry = Registration(name, target, plugin.name, plugin.version, description, details)
            self._check_registration(kind, entry, plugin, collected[kind])
            collected[kind].append(entry)

        return register

    def _check_registration(
        self, kind: str, entry: Registration, plugin: LoadedPlugin, own: Sequence[Registration]
    ) -> None:
        """Refuse what would break something later on, for others too: a name taken, a detail of the wrong type."""
        for problem in invalid_parts(kind, entry):
            raise _Refused(f"{problem} ({kind})", advice(plugin))
        taken = self.registries[kind].get(entry.name)
        if taken or any(entry.name == other.name for other in own):
            owner = taken.plugin if taken else plugin.name
            raise _Refused(f"{entry.name!r} in {kind} is already registered by plugin {owner!r}", _one_of_two(plugin))
        alias = alias_taken(kind, entry, (*self.registries[kind].values(), *own))
        if alias is not None:
            what, other = alias
            raise _Refused(
                f"the {what} of {singular(kind)} {entry.name!r} is already that of {other.name!r} of plugin "
                f"{other.plugin!r}",
                _one_of_two(plugin),
            )

    def add_commands(self, cli: click.Group, reserved: Collection[str]) -> list[str]:
        """Add the commands of every plugin to *cli*.

        Each plugin gets an empty group to add to, so that it can touch nothing of anybody else's.

        Args:
            reserved: the names of the built-in commands.

        Returns:
            what failed, one line per plugin.
        """
        import click

        def add(plugin: LoadedPlugin) -> None:
            own = click.Group(plugin.name)
            with marked(plugin):
                plugin.call("coabench_register_commands", cli=own)
            for name, command in own.commands.items():
                _check_command(name, command, plugin, reserved, cli)
            cli.commands.update(own.commands)
            plugin.registered["commands"] = sorted(own.commands)

        return self._each("coabench_register_commands", add)

    def notify(self, hook: str, arguments: Callable[[Collection[str]], Mapping[str, Any]]) -> list[str]:
        """Call an observer hook of every plugin on its own.

        A plugin that raises is not called again.

        Args:
            arguments: makes those of a call from the names that the plugin takes; each plugin gets its own.

        Returns:
            what failed, one line per plugin.
        """
        heard = [plugin for plugin in self.loaded if plugin.status == "ok"]
        problems = self._each(hook, lambda plugin: plugin.call(hook, **arguments(plugin.takes(hook))))
        self._given_up += [plugin for plugin in heard if plugin.status != "ok"]
        return problems

    def hear_again(self) -> None:
        """Call the observers again that failed: another job of this process begins."""
        for plugin in self._given_up:
            plugin.status, plugin.error = "ok", None
        self._given_up = []

    def _each(self, hook: str, what: Callable[[LoadedPlugin], None]) -> list[str]:
        problems = []
        for plugin in self.loaded:
            if plugin.status == "ok" and hook in plugin.hooks:
                self._guarded(plugin, partial(what, plugin))
                if plugin.status == "failed":
                    problems.append(f"plugin {plugin.name!r} failed in {hook} and is left out: {plugin.error}")
        return problems

    def _guarded(self, plugin: LoadedPlugin, what: Callable[[], None]) -> None:
        """Do *what*; where it fails, in whatever way, this plugin is given up and nothing else."""
        interrupted = is_interrupt(sys.exception())  # what fails while that is reported is no interrupt of its own
        try:
            with redirect_stdout(sys.stderr):  # stdout is for data
                what()
        except BaseException as error:
            if is_interrupt(error) and not interrupted:
                raise
            plugin.status, plugin.error = "failed", _reason(error)
            plugin.remedy = error.remedy if isinstance(error, _Refused) else advice(plugin)
            if os.environ.get(STRICT) == "1":
                raise UserError(
                    f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) failed to load",
                    found=plugin.error,
                    remedy=f"{plugin.remedy}; or unset {STRICT}",
                ) from error


def _reason(error: BaseException) -> str:
    """Return why a plugin was given up, in one line."""
    return one_line(error) if isinstance(error, _Refused) else with_type(error)


def advice(plugin: LoadedPlugin) -> str:
    """Return what can be done about a plugin that fails."""
    return (
        f"upgrade {plugin.distribution} or report it to its author; until then uninstall it, or set "
        f"{DISABLE}={plugin.name}"
    )


def _one_of_two(plugin: LoadedPlugin) -> str:
    return f"set {DISABLE} to the plugin that you do not need, or uninstall it; this one is {plugin.distribution}"


def _import(entry: EntryPoint, plugin: LoadedPlugin) -> Any:
    """Return what an entry point names."""
    reinstall = f"reinstall {plugin.distribution}, or report it to its author: the package is incomplete"
    if not ENTRY.fullmatch(entry.value):
        raise _Refused(f"its entry point is {entry.value!r}; it must be 'module' or 'module:attribute'", reinstall)
    try:
        return entry.load()
    except BaseException as error:
        if is_interrupt(error):
            raise
        _check_api(_stated_in_source(entry), plugin)  # a newer interface explains most failures
        if isinstance(error, ModuleNotFoundError) and error.name:
            if f"{entry.module}.".startswith(f"{error.name}."):
                raise _Refused(
                    f"its entry point names a module that does not exist: {entry.value}", reinstall
                ) from error
            raise _Refused(
                _reason(error),
                f"install what provides {error.name!r}, or {plugin.distribution} anew with its dependencies",
            ) from error
        if isinstance(error, AttributeError) and entry.module in sys.modules and entry.attr:
            raise _Refused(f"its entry point names something that does not exist: {entry.value}", reinstall) from error
        raise


def _check_survived(plugin: LoadedPlugin) -> None:
    """Refuse a plugin that an earlier process did not survive; said at every start, as it could not be then."""
    when = died_in(plugin)
    if when is None:
        return
    refused = _Refused(f"a process ended while it loaded this plugin ({when})", again(plugin))
    about = f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) is left out: {refused}"
    print(f"{safe(about)}; {safe(refused.remedy)}", file=sys.stderr)
    raise refused


def _stated_in_source(entry: EntryPoint) -> int | None:
    """Return what a module that cannot be imported says of the interface it was written for."""
    try:
        spec = find_spec(entry.module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    except Exception:  # whatever is wrong with it is reported already
        return None
    stated = re.search(rf"^{hookspecs.API_NAME}\b[^=\n]*=\s*(\d+)", source, re.MULTILINE)
    return int(stated[1]) if stated else None


def _check_api(stated: object, plugin: LoadedPlugin) -> int | None:
    if stated is None:
        return None
    if not isinstance(stated, int) or isinstance(stated, bool):
        raise _Refused(f"{hookspecs.API_NAME} = {stated!r} is no whole number", advice(plugin))
    if stated < hookspecs.OLDEST_API:
        raise _Refused(
            f"it was written for version {stated} of the plugin interface; this coabench takes {hookspecs.OLDEST_API} "
            f"to {hookspecs.API_VERSION}",
            f"upgrade {plugin.distribution}, or install an older coabench",
        )
    if stated > hookspecs.API_VERSION:
        raise _Refused(
            f"it was written for version {stated} of the plugin interface; this coabench has {hookspecs.API_VERSION}",
            f"upgrade coabench (pip install --upgrade coabench), or install an older {plugin.distribution}",
        )
    return stated


def _manager_of(loaded: Any, plugin: LoadedPlugin) -> pluggy.PluginManager:
    """Return a manager that holds this plugin alone; its hooks are known, and their arguments exist."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = [name for name in dir(hookspecs) if name.startswith("coabench_")]
    try:
        manager.register(loaded, name=plugin.name)
    except pluggy.PluginValidationError as error:
        raise _Refused(
            _reason(error), f"{advice(plugin)} (hooks take the arguments in docs/reference/plugins.md)"
        ) from error
    for caller in manager.get_hookcallers(loaded) or ():
        if caller.spec is None and not all(impl.optionalhook for impl in caller.get_hookimpls()):
            raise _Refused(
                f"there is no hook named {caller.name!r}", f"{did_you_mean(caller.name, known)}{advice(plugin)}"
            )
    return manager


def _check_command(
    name: str, command: object, plugin: LoadedPlugin, reserved: Collection[str], cli: click.Group
) -> None:
    import click

    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _Refused(f"its command {name!r} cannot be typed", advice(plugin))
    if name in reserved or name in cli.commands:
        owner = "a command of coabench" if name in reserved else "already a command of another plugin"
        raise _Refused(
            f"its command {name!r} is {owner}", _one_of_two(plugin) if name in cli.commands else advice(plugin)
        )
    if not isinstance(command, click.Command):
        raise _Refused(f"its command {name!r} is no click command but {command!r}", advice(plugin))
    if not isinstance(command.get_short_help_str(80), str):
        raise _Refused(f"its command {name!r} has no readable help", advice(plugin))


def _describe(entry: EntryPoint | Unreadable) -> LoadedPlugin:
    if isinstance(entry, Unreadable):
        return LoadedPlugin(entry.name, "", entry.name, "unknown")
    dist = entry.dist
    if dist is None:
        from coabench.base.version import __version__

        return LoadedPlugin(entry.name, entry.value, "coabench", __version__)
    return LoadedPlugin(entry.name, entry.value, name_of(dist) or "unknown", version_of(dist))


_loading = False


@cache
def get_plugins() -> Plugins:
    """Return the plugins installed here, loaded once per process."""
    global _loading
    if _loading:
        raise _Refused(
            "it asks for the plugins while they are being loaded", "report it to its author: only targets can ask that"
        )
    _loading = True
    try:
        return Plugins(find())
    finally:
        _loading = False
