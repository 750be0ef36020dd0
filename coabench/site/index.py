"""The first page: what runs, the leaderboard, trainings, stresses and pages, in parts that change one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from coabench.base.text import plural
from coabench.errors import CoabenchError
from coabench.render.page import HERE, render_page, render_template
from coabench.render.tables import Column, Section
from coabench.reports.entries import entries_of
from coabench.reports.leaderboard import linked, ranked
from coabench.robustness.folder import StressFolder
from coabench.runs import adapter, folder
from coabench.runs.run import MANIFEST
from coabench.site.listing import ENTRIES, Item, Listing
from coabench.site.progress import Progress, Watch

OWN = Path(__file__).parent
NAMED = 5
"""Names in a note; of more, their number is given."""


@dataclass(frozen=True)
class Part:
    """A part of the page: replaced in an open page where its content changes, and only then."""

    name: str
    content: Markup

    @property
    def digest(self) -> str:
        """What tells two contents apart."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:16]


class Index:
    """Makes the page, and remembers what has not changed."""

    def __init__(self) -> None:
        self._watch = Watch()
        self._board: tuple[Any, list[Part]] = ((), [])

    def page(self, listing: Listing) -> str:
        """Return the page of a listing."""
        runs = listing.of("runs")
        running = {item.address for item in (*runs, *listing.of("trainings")) if self._watch.running(item)}
        now = [item for item in listing.items if item.address in running]
        parts = [*_running([progress for item in now if (progress := self._watch.progress(item))])]
        parts += self._ranked(listing.root, [item for item in runs if item.address not in running])
        parts += _others(listing, running)
        name = listing.root.resolve().name or str(listing.root)
        return render_page(
            OWN / "site.html",
            styles=["site.css"],
            scripts=["site.js"],
            allow=["connect-src 'self'"],
            heading=name,
            kicker="Runs",
            count=plural(len(runs), "run"),
            parts=parts,
            notes=list(_notes(listing)),
        )

    def _ranked(self, root: Path, runs: Sequence[Item]) -> list[Part]:
        """Return the leaderboard of runs, from before where they are what they were."""
        key = [(item.name, item.state) for item in runs]
        if self._board[0] != key:
            links = {str(item.path): quote(item.address) for item in runs}
            sections = linked(ranked(entries_of([item.path for item in runs], root)), links)
            self._board = key, [_part(section) for section in sections]
        return self._board[1]


def _part(section: Section) -> Part:
    content = render_template(HERE / "sections.html", sections=[section], heading=section.title, addressed=True)
    return Part(section.anchor, Markup(content))


def _running(found: Sequence[Progress]) -> Iterator[Part]:
    if found:
        content = render_template(OWN / "running.html", running=found, address=lambda item: quote(item.address))
        yield Part("running", Markup(content))


def _others(listing: Listing, running: set[str]) -> Iterator[Part]:
    """Yield tables of what is no run and does not run."""
    trainings = [(item, *_training(item)) for item in listing.of("trainings") if item.address not in running]
    stresses = [(item, *_stress(item)) for item in listing.of("stress")]
    pages = [(item, "") for item in listing.of("pages")]
    yield from _table("trainings", "Trainings", ("Training", "Status", "Model", "Date"), trainings)
    yield from _table("stress", "Stresses", ("Stress", "Suite", "Conditions"), stresses)
    yield from _table("pages", "Pages", ("Page",), pages)


def _table(anchor: str, title: str, headings: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Iterator[Part]:
    if not rows:
        return
    first, *others = headings
    columns = [Column(first, link="address"), *(Column(each, whole=each == "Date") for each in others)]
    cells = [
        {first: item.name, "address": quote(item.address), **dict(zip(others, values, strict=False))}
        for item, *values in rows
    ]
    yield _part(Section(columns, cells, title, anchor=anchor))


def _training(item: Item) -> tuple[str, str | None, str | None]:
    try:
        manifest = folder.read_manifest(item.path, adapter.TrainingManifest)
    except CoabenchError as error:
        return f"damaged: {error.problem}", None, None
    backbone = manifest["identity"].get("backbone") or {}
    when = str(manifest.get("ended") or manifest.get("started") or "")[:10]
    return manifest["status"], backbone.get("model") or backbone.get("name"), when or None


def _stress(item: Item) -> tuple[str, str | None]:
    try:
        stress = StressFolder.read(item.path)
        missing = len(stress.missing)
    except CoabenchError as error:
        return f"damaged: {error.problem}", None
    done = len(stress.conditions) - missing
    return stress.suite, f"{done} of {len(stress.conditions)}"


def _notes(listing: Listing) -> Iterator[str]:
    """Yield what a visitor must know of what is not shown."""
    if "." in listing.unreadable:
        yield "The folder is gone, or cannot be read."
    elif not listing.items:
        yield f"Nothing is here yet: runs (folders with a {MANIFEST}) appear as soon as they begin."
    if others := [name for name in listing.unreadable if name != "."]:
        yield f"Folders that cannot be read: {_names(others)}."
    if listing.outside:
        yield f"Left out, because they lead out of the folder: {_names(listing.outside)}."
    if listing.more:
        yield f"The folder holds more than {ENTRIES:,} files and folders: what comes after so many is left out."


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
