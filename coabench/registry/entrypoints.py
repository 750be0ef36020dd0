"""Which plugins are installed here: the entry points, whatever state the packages are in that declare them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Literal

from coabench import hookspecs
from coabench.base.shipped import CHECKOUT
from coabench.errors import with_type


def name_of(dist: Distribution | None) -> str | None:
    """Return the name of a distribution; None where it has none."""
    return _stated(dist, "name") if dist else None


def version_of(dist: Distribution) -> str:
    """Return the version of a distribution; "unknown" where it does not say."""
    return _stated(dist, "version") or "unknown"


@lru_cache(maxsize=64)  # each look parses the whole metadata
def _stated(dist: Distribution, field: Literal["name", "version"]) -> str | None:
    try:
        stated: str = getattr(dist, field)
    except Exception:  # a distribution without metadata
        return None
    return stated


@dataclass(frozen=True)
class Unreadable:
    """A distribution whose list of entry points cannot be read. It may hold a plugin."""

    name: str
    problem: str


def _installed() -> list[EntryPoint | Unreadable]:
    """Return the entry points of the group; one distribution whose list cannot be read spoils none of the others."""
    try:
        return list(entry_points(group=hookspecs.PROJECT))
    except Exception:
        return list(_one_by_one())


def _one_by_one() -> Iterator[EntryPoint | Unreadable]:
    seen = set[str]()
    for dist in distributions():
        name = name_of(dist) or _folder(dist)
        folded = re.sub(r"[-_.]+", "-", name).lower()
        if folded in seen:  # further down the path, hidden by the first
            continue
        seen.add(folded)
        try:
            yield from dist.entry_points.select(group=hookspecs.PROJECT)
        except Exception as error:
            yield Unreadable(name, f"{with_type(error)} ({_folder(dist)})")


def _folder(dist: Distribution) -> str:
    """Return the name of the folder that holds a distribution's metadata: all there is where they cannot be read."""
    return Path(str(getattr(dist, "_path", "unknown"))).name


def find() -> list[EntryPoint | Unreadable]:
    """Return the entry points: ours first, so that a stranger cannot take a built-in's name; then by name."""
    installed = _installed()
    own = hookspecs.PROJECT
    # By what they are not: the backport importlib_metadata, where it is imported, makes entry points of its own class.
    entries = [entry for entry in installed if not isinstance(entry, Unreadable)]
    if not any(name_of(entry.dist) == own for entry in entries):
        entries += _from_checkout()
    entries.sort(key=lambda e: (bool(e.dist and name_of(e.dist) != own), e.name, e.value))
    return [*entries, *(entry for entry in installed if isinstance(entry, Unreadable))]


def _from_checkout() -> list[EntryPoint]:
    """Return our own entry points where the bench runs from a checkout that was never installed."""
    import tomllib

    project = CHECKOUT / "pyproject.toml"
    if not project.is_file():
        return []
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"][hookspecs.PROJECT]
    sys.path.insert(0, str(CHECKOUT / "plugins"))
    return [EntryPoint(name, value, hookspecs.PROJECT) for name, value in declared.items()]
