"""Errors that would end the process, where a plugin raises them: its failure, by name, and not the job's end.

`SystemExit`, a `KeyboardInterrupt` that nobody typed, and whatever else is no `Exception` pass every ``except
Exception``. Jobs are wrapped in `contained`, which sees from the traceback whose code raised the error: no call of a
plugin needs a guard of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from coabench.base.signals import is_interrupt
from coabench.errors import JobError, with_type
from coabench.registry.loaded_plugin import LoadedPlugin, advice
from coabench.registry.loader import get_plugins

OURS = "coabench"
COMMAND_LINE = "coabench.cli"
"""The module that calls the commands of plugins: one may end the process with an exit code of its own."""


@contextmanager
def contained() -> Iterator[None]:
    """Let a plugin's attempt to end the process fail the job.

    Raises:
        JobError: naming the plugin.
        KeyboardInterrupt: the user's, also where a plugin made something else of it.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if is_interrupt(error) and not isinstance(error, KeyboardInterrupt) and not _is_ours(error):
            raise KeyboardInterrupt from error
        plugin = None if is_interrupt(error) else _raised_by(error)
        if plugin is None:
            raise
        raise JobError(
            f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) tried to end the process",
            found=with_type(error),
            remedy=advice(plugin),
        ) from error


def _raised_by(error: BaseException) -> LoadedPlugin | None:
    """Return the plugin whose code raised an error, itself or in a library that it called; None for any other code."""
    if _is_ours(error):
        return None
    modules = _modules(error)
    owners = {package: plugin for plugin in get_plugins().loaded for package in plugin.packages}
    culprit, caller = None, ""
    for module in modules:
        package = module.partition(".")[0]
        if package == OURS:
            caller = module
        elif package in owners:
            culprit = None if caller == COMMAND_LINE and isinstance(error, SystemExit) else owners[package]
    return culprit


def _is_ours(error: BaseException) -> bool:
    """Whether code of coabench itself raised an error."""
    return _modules(error)[-1].partition(".")[0] == OURS


def _modules(error: BaseException) -> list[str]:
    """Return the modules whose code an error has passed, that which raised it last."""
    return [str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__)]
