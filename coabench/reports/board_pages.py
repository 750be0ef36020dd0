"""Which pages of a folder `coabench leaderboard --with-reports` made: ``pages.json``, by which it removes old ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from coabench.base.files import sha256_of, write_json
from coabench.base.json import read_json

FILE, SCHEMA = "pages.json", 1


def read_pages(folder: Path) -> dict[str, str] | None:
    """Return the pages that were made before, name -> SHA-256; None where the file is there and no such list."""
    try:
        data = read_json(folder / FILE)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    pages = data.get("pages") if isinstance(data, dict) and data.get("schema") == SCHEMA else None
    if not isinstance(pages, dict):
        return None
    return {name: str(digest) for name, digest in pages.items() if _is_page_name(name)}


def write_pages(folder: Path, pages: Mapping[str, str]) -> None:
    """Write the list; `OSError` where it cannot be written."""
    write_json(folder / FILE, {"schema": SCHEMA, "pages": dict(sorted(pages.items()))})


def remove_old(folder: Path, before: Mapping[str, str], now: Collection[str]) -> tuple[list[str], list[str]]:
    """Delete the pages that were made before and are not made now, unless somebody changed them.

    Args:
        folder: where the pages are.
        before: those of `read_pages`.
        now: the names of those that stay.

    Returns:
        the names of those that were removed, and of those that were changed and stay.
    """
    removed, changed = [], []
    for name in sorted(set(before) - set(now)):
        with suppress(OSError):  # gone already, or no longer a file
            page = folder / name
            if page.is_symlink() or sha256_of(page) != before[name]:
                changed.append(name)
            else:
                page.unlink()
                removed.append(name)
    return removed, changed


def _is_page_name(name: object) -> bool:
    """Whether it is the name of a page, and leads nowhere else."""
    return isinstance(name, str) and name.endswith(".html") and not set(name) & set("/\\\0") and Path(name).name == name
