"""What may be a data root: the one rule of every command that takes ``--data-root``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coabench.base.reading import is_file, is_folder, what_is_at
from coabench.dataset import Card
from coabench.errors import UserError


def check_root(factory: Any, card: Card, root: Path | None) -> None:
    """Refuse a data root that a loader does not take; what is in it is for the loader to judge.

    A folder is taken by every loader, a file by one that names kinds of files as its ``root_files``.

    Args:
        factory: the loader's class, see `coabench.dataset.Dataset`.

    Raises:
        UserError: the loader needs one and there is none, it is not there, or it is a file and should be a folder.
    """
    kinds: Sequence[str] = getattr(factory, "root_files", ())
    files = f", or a file ({', '.join(kinds)})" if kinds else ""
    if root is None:
        if factory.needs_root:
            raise UserError(
                f"data set {card.name!r} needs --data-root",
                expected=f"the folder that holds its files{files}",
                remedy=f"add --data-root {'PATH' if kinds else 'DIR'}; `coabench datasets show {card.name}` says how "
                "to get the data",
            )
        return
    if is_folder(root) or (kinds and is_file(root)):
        return
    unpack = "unpack it if it is an archive, and name the folder; or " if is_file(root) else ""
    raise UserError(
        f"--data-root {root} is no folder{' and no file' if kinds else ''}",
        expected=f"the folder that holds {card.title}{files}",
        found=what_is_at(root),
        remedy=f"{unpack}correct --data-root"
        + ("" if factory.needs_root else f", or leave it away: {card.name} does without"),
    )
