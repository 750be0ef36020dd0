"""From an entry point to a plugin manager that holds this plugin alone."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy

from coabench import hookspecs
from coabench.base.signals import is_interrupt
from coabench.errors import did_you_mean
from coabench.registry.loaded_plugin import LoadedPlugin, Refused, advice, reason_of

ENTRY = re.compile(r"[\w.]+(:[\w.]+)?")
"""What an entry point looks like."""


def import_entry(entry: EntryPoint, plugin: LoadedPlugin) -> Any:
    """Return what an entry point names."""
    reinstall = f"reinstall {plugin.distribution}, or report it to its author: the package is incomplete"
    if not ENTRY.fullmatch(entry.value):
        raise Refused(f"its entry point is {entry.value!r}; it must be 'module' or 'module:attribute'", reinstall)
    try:
        return entry.load()
    except BaseException as error:
        if is_interrupt(error):
            raise
        check_api(_stated_in_source(entry), plugin)  # a newer interface explains most failures
        if isinstance(error, ModuleNotFoundError) and error.name:
            if f"{entry.module}.".startswith(f"{error.name}."):
                raise Refused(
                    f"its entry point names a module that does not exist: {entry.value}", reinstall
                ) from error
            raise Refused(
                reason_of(error),
                f"install what provides {error.name!r}, or {plugin.distribution} anew with its dependencies",
            ) from error
        if isinstance(error, AttributeError) and entry.module in sys.modules and entry.attr:
            raise Refused(f"its entry point names something that does not exist: {entry.value}", reinstall) from error
        raise


def _stated_in_source(entry: EntryPoint) -> int | None:
    """Return what a module that cannot be imported says of the interface it was written for."""
    try:
        spec = find_spec(entry.module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    except Exception:  # whatever is wrong with it is reported already
        return None
    stated = re.search(rf"^{hookspecs.API_NAME}\b[^=\n]*=\s*(\d+)", source, re.MULTILINE)
    return int(stated[1]) if stated else None


def check_api(stated: object, plugin: LoadedPlugin) -> int | None:
    if stated is None:
        return None
    if not isinstance(stated, int) or isinstance(stated, bool):
        raise Refused(f"{hookspecs.API_NAME} = {stated!r} is no whole number", advice(plugin))
    if stated < hookspecs.OLDEST_API:
        raise Refused(
            f"it was written for version {stated} of the plugin interface; this coabench takes {hookspecs.OLDEST_API} "
            f"to {hookspecs.API_VERSION}",
            f"upgrade {plugin.distribution}, or install an older coabench",
        )
    if stated > hookspecs.API_VERSION:
        raise Refused(
            f"it was written for version {stated} of the plugin interface; this coabench has {hookspecs.API_VERSION}",
            f"upgrade coabench (pip install --upgrade coabench), or install an older {plugin.distribution}",
        )
    return stated


def manager_of(loaded: Any, plugin: LoadedPlugin) -> pluggy.PluginManager:
    """Return a manager that holds this plugin alone; its hooks are known, and their arguments exist."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = [name for name in dir(hookspecs) if name.startswith("coabench_")]
    try:
        manager.register(loaded, name=plugin.name)
    except pluggy.PluginValidationError as error:
        raise Refused(
            reason_of(error), f"{advice(plugin)} (hooks take the arguments in docs/reference/plugins.md)"
        ) from error
    for caller in manager.get_hookcallers(loaded) or ():
        if caller.spec is None and not all(impl.optionalhook for impl in caller.get_hookimpls()):
            raise Refused(
                f"there is no hook named {caller.name!r}", f"{did_you_mean(caller.name, known)}{advice(plugin)}"
            )
    return manager
