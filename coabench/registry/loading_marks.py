"""Plugins that ended the process, or hung, while they were loaded: named by the next start, which leaves them out.

Before a plugin is loaded its name is written to a file of this process in the cache folder; afterwards the file is
deleted. A file whose process is gone says which plugin it died in. Whether the process is gone says a lock, which the
system releases: process numbers come again, and containers share them. Where the folder cannot be written or files
cannot be locked (Windows), nothing is noticed, and nothing else is different.

Nothing is synchronised with the disk, so that a power cut accuses nobody. Our own plugins are not marked: without them
there is no bench, and they load nothing that could hang.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from coabench.base.signals import is_interrupt
from coabench.base.text import safe

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "loading"
OURS = "coabench"
IMPATIENCE = 1.0
"""Seconds that a plugin may take to be loaded before a Ctrl-C is held against it: it has to be light."""


class Loadable(Protocol):
    """What identifies a plugin."""

    name: str
    module: str
    distribution: str
    version: str


@contextmanager
def marked(plugin: Loadable) -> Iterator[None]:
    """Mark a plugin as being loaded, for as long as the context lasts."""
    mark, began = _begin(plugin), time.monotonic()
    keep = False
    try:
        yield
    except BaseException as error:
        keep = mark is not None and is_interrupt(error) and time.monotonic() - began > IMPATIENCE
        if keep:
            message = f"interrupted while plugin {plugin.name!r} was loaded: it is left out from now on"
            print(f"\n{safe(message)}; {safe(again(plugin))}", file=sys.stderr)
        raise
    finally:
        if mark is not None:
            path, lock = mark
            if not keep:
                with suppress(OSError):
                    path.unlink()
            os.close(lock)


def again(plugin: Loadable) -> str:
    """Return what lets a plugin be loaded that is left out."""
    return (
        f"`coabench plugins check {plugin.name}` tries it again, and so does any start once it is upgraded or changed"
    )


def died_in(plugin: Loadable) -> str | None:
    """Return when a process ended while it loaded this plugin; None where none did, or the plugin changed since."""
    if plugin.distribution == OURS:
        return None
    for path, about in _marks():
        if about != _describe(plugin):
            continue
        with suppress(OSError):
            when = path.stat().st_mtime
            if _changed(plugin) <= when:
                return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
            path.unlink()
    return None


def forget(name: str) -> None:
    """Let a plugin, or all of a distribution, be loaded again."""
    for path, about in _marks():
        if name in (about["plugin"], about["distribution"]):
            with suppress(OSError):
                path.unlink()


def _describe(plugin: Loadable) -> dict[str, str]:
    return {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}


def _begin(plugin: Loadable) -> tuple[Path, int] | None:
    """Write the mark and lock it; None where that cannot be done, and for our own plugins."""
    if fcntl is None or plugin.distribution == OURS:
        return None
    import json

    lock = -1
    try:
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{time.monotonic_ns()}"
        lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, json.dumps(_describe(plugin)).encode())
        mark = path.with_suffix(".json")
        path.rename(mark)  # from here on it is read by others, and it is whole
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        if lock >= 0:
            os.close(lock)
        return None
    return mark, lock


def _marks() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the marks whose processes are gone."""
    if fcntl is None:
        return
    import json

    with suppress(OSError, RuntimeError):
        for path in filter(Path.is_file, _folder().glob("*.json")):
            with suppress(OSError, ValueError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # refused while its process lives
                about = json.load(file)
                if isinstance(about, dict) and about.keys() >= {"plugin", "distribution", "version"}:
                    yield path, about


def _folder() -> Path:
    from coabench.base import cache  # where there are no plugins but ours, --help needs none of this

    return cache.folder() / FOLDER


def _changed(plugin: Loadable) -> float:
    """Return when the files of a plugin's package were last changed; 0 where they are not found."""
    try:
        spec = importlib.util.find_spec(plugin.module.partition(":")[0].partition(".")[0])
        folders = spec.submodule_search_locations if spec else None
        files = [file for folder in folders for file in Path(folder).rglob("*.py")] if folders else []
        if spec and spec.origin and not files:
            files = [Path(spec.origin)]
        return max((max(status.st_mtime, status.st_ctime) for status in map(os.stat, files)), default=0.0)
    except (OSError, ImportError, ValueError):
        return 0.0
