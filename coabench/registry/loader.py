"""The isolated plugin loader, which fills the registries.

Every plugin is loaded on its own, into a manager of its own: one that raises, exits, misspells a hook, needs a newer
coabench or collides with another is left out, its registrations with it, and `Plugins.loaded` says why and what to do.
Nothing else is disturbed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache, partial
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from coabench import hookspecs
from coabench.base.signals import is_interrupt
from coabench.base.text import safe
from coabench.errors import UserError
from coabench.registry.built_in import BUILT_IN
from coabench.registry.entrypoints import Unreadable, find
from coabench.registry.importing import check_api, import_entry, manager_of
from coabench.registry.loaded_plugin import DISABLE, LoadedPlugin, Refused, advice, describe, one_of_two, reason_of
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

STRICT = "COABENCH_STRICT_PLUGINS"


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
            plugin = describe(entry)
            if disabled & {plugin.name, plugin.distribution, "all"}:
                plugin.status = "disabled"
            else:
                self._guarded(plugin, partial(self._load, entry, plugin))
            self.loaded.append(plugin)

    def _failed(self) -> list[str]:
        return [plugin.name for plugin in self.loaded if plugin.status == "failed"]

    def _load(self, entry: EntryPoint | Unreadable, plugin: LoadedPlugin) -> None:
        if isinstance(entry, Unreadable):
            raise Refused(f"its metadata cannot be read: {entry.problem}", f"reinstall or uninstall {entry.name}")
        self._check_entry_name(plugin)
        _check_survived(plugin)
        with marked(plugin):
            self._enter(entry, plugin)

    def _enter(self, entry: EntryPoint, plugin: LoadedPlugin) -> None:
        loaded = import_entry(entry, plugin)
        plugin.api = check_api(getattr(loaded, hookspecs.API_NAME, None), plugin)
        plugin.manager = manager_of(loaded, plugin)
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
                raise Refused(
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
            raise Refused(f"{problem} ({kind})", advice(plugin))
        taken = self.registries[kind].get(entry.name)
        if taken or any(entry.name == other.name for other in own):
            owner = taken.plugin if taken else plugin.name
            raise Refused(f"{entry.name!r} in {kind} is already registered by plugin {owner!r}", one_of_two(plugin))
        alias = alias_taken(kind, entry, (*self.registries[kind].values(), *own))
        if alias is not None:
            what, other = alias
            raise Refused(
                f"the {what} of {singular(kind)} {entry.name!r} is already that of {other.name!r} of plugin "
                f"{other.plugin!r}",
                one_of_two(plugin),
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
            plugin.status, plugin.error = "failed", reason_of(error)
            plugin.remedy = error.remedy if isinstance(error, Refused) else advice(plugin)
            if os.environ.get(STRICT) == "1":
                raise UserError(
                    f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) failed to load",
                    found=plugin.error,
                    remedy=f"{plugin.remedy}; or unset {STRICT}",
                ) from error


def _check_survived(plugin: LoadedPlugin) -> None:
    """Refuse a plugin that an earlier process did not survive; said at every start, as it could not be then."""
    when = died_in(plugin)
    if when is None:
        return
    refused = Refused(f"a process ended while it loaded this plugin ({when})", again(plugin))
    about = f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) is left out: {refused}"
    print(f"{safe(about)}; {safe(refused.remedy)}", file=sys.stderr)
    raise refused


def _check_command(
    name: str, command: object, plugin: LoadedPlugin, reserved: Collection[str], cli: click.Group
) -> None:
    import click

    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(f"its command {name!r} cannot be typed", advice(plugin))
    if name in reserved or name in cli.commands:
        owner = "a command of coabench" if name in reserved else "already a command of another plugin"
        raise Refused(
            f"its command {name!r} is {owner}", one_of_two(plugin) if name in cli.commands else advice(plugin)
        )
    if not isinstance(command, click.Command):
        raise Refused(f"its command {name!r} is no click command but {command!r}", advice(plugin))
    if not isinstance(command.get_short_help_str(80), str):
        raise Refused(f"its command {name!r} has no readable help", advice(plugin))


_loading = False


@cache
def get_plugins() -> Plugins:
    """Return the plugins installed here, loaded once per process."""
    global _loading
    if _loading:
        raise Refused(
            "it asks for the plugins while they are being loaded", "report it to its author: only targets can ask that"
        )
    _loading = True
    try:
        return Plugins(find())
    finally:
        _loading = False
