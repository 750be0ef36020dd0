"""A leaderboard as a folder of pages: ``index.html``, and a report for every run, to which its row leads.

The pages have relative links, so the folder can be opened from a disk, moved, packed or put on any server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

from coabench.base.files import sha256_of, write_text
from coabench.base.names import to_hash
from coabench.base.reading import exists, is_folder, read_bytes, what_is_at
from coabench.base.signals import leave_to_parent
from coabench.base.text import plural, safe
from coabench.errors import CoabenchError, UserError
from coabench.render.page import is_page, with_way_back
from coabench.render.tables import Section, render_sections
from coabench.reports.board_pages import FILE as PAGES
from coabench.reports.board_pages import read_pages, remove_old, write_pages
from coabench.reports.leaderboard import linked
from coabench.reports.report import Report, report
from coabench.reports.run_row import PUBLISHED

INDEX, RUNS = "index.html", "runs"
NAMED = 5
"""Pages that a sentence names; of more, their number is given."""
TITLE = "Leaderboard"


def page_name(run: str) -> str:
    """Return the file name of a run's page: one that every system can have, and no two runs share.

    Args:
        run: its path in the folder of runs, as in ``sweep/a``.
    """
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,80}", run) and not re.search(r"(^|-)[0-9a-f]{8}$", run):
        return f"{run}.html"
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", run).strip("-.")[:80]
    return f"{words}-{hashlib.sha256(to_hash(run)).hexdigest()[:8]}.html".lstrip("-")


def write_board(sections: Sequence[Section], folder: Path, workers: int = 1) -> list[str]:
    """Write the pages; return why a run has none, a sentence for each that has none, and which old pages went.

    Pages that an earlier call made of runs that are not there any more are removed, and no others.

    Args:
        sections: of `coabench.reports.leaderboard.leaderboard`.
        folder: made where it is absent; one that was written before is written anew.
        workers: how many processes may make reports at once.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    _check_folder(folder)
    rows = [row for section in sections for row in section.rows if row["kind"] != PUBLISHED]
    runs = {row["source"]: row["name"] for row in rows if is_folder(Path(row["source"]))}
    links, problems = {}, []
    before, made = read_pages(folder) or {}, dict[str, str]()
    try:
        (folder / RUNS).mkdir(parents=True, exist_ok=True)
        for (source, name), (page, problem) in zip(runs.items(), _pages(runs, workers), strict=True):
            if problem is None:
                file = page_name(name)
                write_text(folder / RUNS / file, with_way_back(page, f"../{INDEX}", TITLE))
                links[source] = f"{RUNS}/{quote(file)}"
                made[file] = sha256_of(folder / RUNS / file)
            else:
                problems.append(f"no report of {safe(name)}: {problem}")
        write_pages(folder, before | made)  # killed from here on, it knows the old ones still
        write_text(folder / INDEX, render_sections(linked(sections, links), "html", TITLE))
        removed, changed = remove_old(folder / RUNS, before, made)
        write_pages(folder, made | {name: before[name] for name in changed})
    except OSError as error:
        raise UserError(
            f"{error.filename or folder} cannot be written",
            found=error.strerror or str(error),
            remedy="choose another folder",
        ) from None
    if removed:
        problems.append(f"removed {plural(len(removed), 'page')} of runs that are not there: {_names(removed)}")
    if changed:
        problems.append(f"kept, because somebody changed them: {_names(changed)}")
    return problems


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(safe(f"{RUNS}/{name}") for name in names[:NAMED]) + more


def _check_folder(folder: Path) -> None:
    if not exists(folder):
        return
    if not is_folder(folder):
        raise UserError(f"{folder} is no folder", found=what_is_at(folder), remedy="choose another folder")
    others = sorted({path.name for path in folder.iterdir()} - {INDEX, RUNS, PAGES})
    if not others and exists(folder / INDEX) and not is_page(read_bytes(folder / INDEX, 2**30)):
        others = [INDEX]
    if not others and read_pages(folder) is None:
        others = [PAGES]
    if not others and is_folder(folder / RUNS):  # it may be the folder of the runs themselves
        others = sorted(f"{RUNS}/{path.name}" for path in (folder / RUNS).iterdir() if path.suffix != ".html")
    if others:
        raise UserError(
            f"the folder {folder} holds something else",
            expected=f"a new or empty folder, or one that --with-reports has written: {INDEX}, {PAGES} and {RUNS}/",
            found=", ".join(others[:5]),
            remedy="choose another folder",
        )


def _pages(runs: Iterable[str], workers: int) -> Iterable[tuple[str, str | None]]:
    """Yield the page of each run, or why there is none."""
    if workers <= 1:
        yield from map(_page, runs)
        return
    with ProcessPoolExecutor(workers, initializer=leave_to_parent) as pool:
        yield from pool.map(_page, runs)


def _page(run: str) -> tuple[str, str | None]:
    try:
        return report(Report(Path(run))), None
    except CoabenchError as error:
        return "", error.problem
