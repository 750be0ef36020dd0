"""Finding many runs and reading them, each once: what was read is kept in the cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from coabench.base import cache
from coabench.base.reading import exists, is_folder
from coabench.base.signals import leave_to_parent
from coabench.base.version import __version__
from coabench.errors import UserError
from coabench.metrics.headline import FIGURES
from coabench.metrics.summary import SCHEMA
from coabench.registry.loader import get_plugins
from coabench.reports.entry import Answered, Entry, read_entry
from coabench.reports.run_row import RunRow
from coabench.runs.run import LOG, MANIFEST, METRICS

DEPTH = 3
"""How many levels below the given folder runs are looked for."""

FORMAT = 6
"""The version of what the cache keeps of an entry."""

WORTH_WORKERS = 16
"""From how many runs on it pays to start processes that read them."""


def read_entries(root: Path, workers: int = 1) -> list[Entry]:
    """Return the runs at or below *root*, sorted by path.

    Args:
        root: a run directory, or a folder with run directories at most `DEPTH` levels below.
        workers: how many processes may read at once.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    return entries_of(find_runs(root), root, workers)


def entries_of(directories: Sequence[Path], root: Path, workers: int = 1) -> list[Entry]:
    """Return the runs in *directories*, which are at or below *root*, in their order; see `read_entries`."""
    entries = dict(zip(directories, map(_recalled, directories), strict=True))
    new = [directory for directory, entry in entries.items() if entry is None]
    if workers > 1 and len(new) >= WORTH_WORKERS:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(workers, initializer=leave_to_parent) as pool:
            entries.update(zip(new, pool.map(_read, new, chunksize=4), strict=True))
    else:
        entries.update(zip(new, map(_read, new), strict=True))
    return [_named(entry, directory, root) for directory, entry in entries.items() if entry]


def find_runs(root: Path) -> list[Path]:
    """Return the run directories at or below *root*, sorted. A run directory is one that holds ``run.json``.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    if not is_folder(root):
        raise UserError(
            f"there is no folder {root}", expected="a folder with runs", remedy="evaluate first: coabench evaluate"
        )
    try:
        found = sorted(_walk(root, DEPTH))
    except OSError as error:
        raise UserError(f"the folder {error.filename} cannot be read", found=error.strerror) from None
    if not found:
        raise UserError(
            f"there is no run in {root}",
            expected=f"folders with a {MANIFEST}, at most {DEPTH} levels below",
            remedy=f"make one: coabench evaluate --output {root / 'NAME'}",
        )
    once: dict[Path, Path] = {}  # a run that is also linked to counts once
    for directory in found:
        once.setdefault(directory.resolve(), directory)
    return list(once.values())


def _walk(folder: Path, depth: int) -> Iterable[Path]:
    if exists(folder / MANIFEST):
        yield folder
    elif depth:
        for child in folder.iterdir():
            if is_folder(child) and not child.name.startswith("."):
                yield from _walk(child, depth - 1)


def _named(entry: Entry, directory: Path, root: Path) -> Entry:
    name = directory.name if directory == root else directory.relative_to(root).as_posix()
    return replace(entry, row=replace(entry.row, name=name, source=str(directory)))


def _recalled(directory: Path) -> Entry | None:
    """Return the entry of a run from the cache, if the run's files are what they were."""
    known = cache.recall(*_cache_key(directory))
    if known is None:
        return None
    return Entry(RunRow.unpacked(known["row"]), Answered.unpacked(known["answered"]) if known["answered"] else None)


def _read(directory: Path) -> Entry:
    """Read the entry of a run and keep it in the cache."""
    key, stamp = _cache_key(directory)  # before reading: what changes meanwhile makes another stamp
    entry = read_entry(directory)
    answered = entry.answered.packed() if entry.answered else None
    cache.remember(key, stamp, {"row": entry.row.packed(), "answered": answered})
    return entry


def _cache_key(directory: Path) -> tuple[str, cache.Stamp]:
    """Return under which key an entry is kept, and the stamp of the files that it was read from.

    Metrics that are computed again hold those of the plugins that are installed, so these are part of the key.
    """
    files = [directory / name for name in (MANIFEST, LOG, METRICS)]
    plugins = " ".join(f"{it.plugin} {it.version} {it.name}" for it in get_plugins().metrics.values())
    figures = " ".join(figure.name for figure in FIGURES)
    key = f"entry {FORMAT}, metrics {SCHEMA} ({figures}) of coabench {__version__} [{plugins}]: {directory.resolve()}"
    return key, cache.stamp(files)
