"""What lies in a folder of runs: runs, trainings, stresses and pages, each with the state of its files.

Nothing outside the folder is ever looked at: links that lead out of it are left out, and named. Every page of the site
is found by its name in the listing, so no address can name another file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from coabench.base import cache
from coabench.base.reading import DATA, NoPlainFile, open_file
from coabench.render.page import is_page
from coabench.reports.board_folder import page_name
from coabench.reports.entries import DEPTH
from coabench.robustness.folder import FILE as STRESS
from coabench.runs import adapter
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.run import LOG, MANIFEST, METRICS
from coabench.runs.training_log import LOG as TRAINING_LOG

Kind = Literal["runs", "trainings", "stress", "pages"]

FILES: dict[Kind, tuple[str, ...]] = {
    "runs": (MANIFEST, LOG, METRICS),
    "trainings": (adapter.MANIFEST, TRAINING_LOG),
    "stress": (STRESS,),
}
"""Kind of a folder -> the files that make it; it is known by the first. A folder is of the first kind that fits."""

CONDITIONS = "*/*.json*"
"""The files of a stress's runs, which its page is made of."""

ENTRIES = 50_000
"""Files and folders that are looked at; what comes after so many is left out."""

State = tuple[tuple[int, ...] | None, ...]
"""The state of files, by which a change is seen; see `coabench.base.cache.stamp`."""


@dataclass(frozen=True)
class Item:
    """Something that has a page of its own.

    Attributes:
        name: its path in the folder, with ``/`` between its parts.
        state: of its files, in the order of `FILES`.
    """

    kind: Kind
    name: str
    path: Path
    state: State

    @cached_property
    def address(self) -> str:
        """The address of its page, from the site's root, not yet escaped."""
        return f"{self.kind}/{page_name(self.name)}"


@dataclass
class Listing:
    """What lies in a folder, in the order of the names.

    Attributes:
        outside: names of links that lead out of the folder.
        unreadable: names of folders that cannot be read, the folder itself as ``.``.
        more: whether there is more than `ENTRIES`.
    """

    root: Path
    items: list[Item] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    more: bool = False

    def of(self, kind: Kind) -> list[Item]:
        """Return the items of a kind."""
        return [item for item in self.items if item.kind == kind]

    @cached_property
    def at(self) -> dict[str, Item]:
        """Address -> item."""
        return {item.address: item for item in self.items}


def list_folder(root: Path) -> Listing:
    """Return what lies in a folder now; it raises for nothing in it."""
    return _Walk(root).listing


class _Walk:
    """One walk through the folder."""

    def __init__(self, root: Path) -> None:
        self.listing = Listing(root)
        self._real = Path(os.path.realpath(root))
        self._left = ENTRIES
        self._seen = {self._real}
        self._visit(root, DEPTH)
        self.listing.items.sort(key=lambda item: item.name)

    def _visit(self, folder: Path, depth: int) -> None:
        try:
            with os.scandir(folder) as scanned:
                entries = list(islice(scanned, self._left + 1))
        except OSError:
            self.listing.unreadable.append(self._name(folder))
            return
        if len(entries) > self._left:
            self.listing.more = True
            entries.pop()
        self._left -= len(entries)
        entries.sort(key=lambda entry: entry.name)
        names = {entry.name for entry in entries}
        inside = {entry.name for entry in entries if not entry.is_symlink() or self._inside(folder / entry.name)}
        kind = next((kind for kind, files in FILES.items() if files[0] in names), None)
        if kind is not None and not self._add(kind, folder, names - inside):
            return
        for page in sorted(name for name in inside if name.endswith(".html")):
            self._add_page(folder / page)
        if kind in ("runs", "trainings") or not depth:
            return
        for entry in entries:
            if entry.name in inside and not entry.name.startswith(".") and self._is_new_folder(entry):
                self._visit(folder / entry.name, depth - 1)

    def _add(self, kind: Kind, folder: Path, outside: set[str]) -> bool:
        """Add a folder; False where one of its files lies outside."""
        if outside & set(FILES[kind]):
            return False
        if kind == "stress" and not all(map(self._is_inside, _quietly(folder.glob(CONDITIONS)))):
            return True  # the walk goes on, and names what leads out
        self.listing.items.append(Item(kind, self._name(folder), folder, _state(kind, folder)))
        return True

    def _add_page(self, page: Path) -> None:
        try:
            with open_file(page, DATA) as file:
                if is_page(file.read(4096)):
                    self.listing.items.append(Item("pages", self._name(page), page, _states([page])))
        except (OSError, NoPlainFile):
            return

    def _is_new_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            if not entry.is_dir():
                return False
        except OSError:
            return False
        real = Path(os.path.realpath(entry.path))
        new = real not in self._seen  # a folder that is also linked to counts once
        self._seen.add(real)
        return new

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self._real)

    def _inside(self, link: Path) -> bool:
        if not self._is_inside(link):
            if link.is_dir() or link.name in {name for files in FILES.values() for name in files}:
                self.listing.outside.append(self._name(link))
            return False
        return True

    def _name(self, path: Path) -> str:
        return path.relative_to(self.listing.root).as_posix()


def _state(kind: Kind, folder: Path) -> State:
    files = [folder / name for name in FILES[kind]]
    if kind == "stress":  # its page is made of the runs below it
        files += sorted(_quietly(folder.glob(CONDITIONS)))
    if kind == "runs":
        files += sorted(_quietly((folder / PARTS).glob("*.jsonl")))
    return _states(files)


def _quietly(paths: Iterator[Path]) -> Iterator[Path]:
    """Yield paths as long as the folder can be read."""
    try:
        yield from islice(paths, ENTRIES)
    except OSError:
        return


def _states(files: list[Path]) -> State:
    return tuple(None if each is None else tuple(each) for each in cache.stamp(files))
