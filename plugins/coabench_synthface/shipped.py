"""The set that comes with coabench: where it is, what it is made of, and how it is made anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from coabench.base.reading import is_folder
from coabench.errors import UserError
from coabench.support.archives import open_tree
from coabench.support.tree import Tree
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.folder import SetFolder
from coabench_synthface.packing import pack

if TYPE_CHECKING:
    from coabench_synthface.make import Progress

FILE = Path(__file__).with_name("faces.zip")
DESIGNS = Path(__file__).with_name("designs")
"""A file for each design, made anew by `coabench synthface rebuild --design NAME FILE.zip`."""

# Whoever changes one of these makes the file anew: `coabench synthface rebuild plugins/coabench_synthface/faces.zip`,
# then `python -m coabench_synthface.landmarks`.
# The number of pictures is on the cards, too.
SEED = 2026
PER_CLASS = {"train": 180, "test": 100}
DIFFICULTY = Difficulty(weakest=0.3, strongest=0.75)
SUBSETS_OF: Mapping[str, tuple[str, ...]] = {
    "intensity": ("basic", "compound"),
    "pose": ("compound",),
    "light": ("compound",),
    "resolution": ("compound",),
    "identity": ("compound",),
    "blends": ("compound",),
}
"""Design -> the halves of it that ship, and that there are cards for."""


def open_shipped(design: str | None = None) -> Tree:
    """Return the files of the set, or of a *design*; `UserError` where this installation is without them."""
    file = FILE if design is None else DESIGNS / f"{design}.zip"
    if not file.is_file():
        raise UserError(
            "the synthetic faces that come with coabench are not in this installation",
            expected=str(file),
            found="nothing there",
            remedy="install coabench anew, or give a set of your own as --data-root",
        )
    return open_tree(file)


def shipped_set(design: str | None = None) -> SetFolder:
    """Return the set, or that of a design, whose list is read once in a process; errors as `open_shipped`."""
    return _set_in(open_shipped(design))


@cache
def _set_in(tree: Tree) -> SetFolder:
    return SetFolder(tree, trusted=True)


def rebuild(file: Path, design: str | None = None, *, workers: int = 1, progress: Progress | None = None) -> None:
    """Render the set, or that of a design, anew and write it to the archive *file*, replacing it.

    Raises:
        UserError: *file* cannot be written to, or the 3-D assets are not installed.
    """
    from coabench_synthface.make import make_set
    from coabench_synthface.make_design import make_design

    if is_folder(file) or not is_folder(file.parent) or not os.access(file.parent, os.W_OK):
        raise UserError(
            f"{file} cannot be written",
            expected="the name of a file, in a folder that is there and may be written to",
            remedy="choose another name",
        )
    with TemporaryDirectory(prefix="coabench-faces-") as scratch:
        folder = Path(scratch) / "set"
        rest: Mapping[str, Any] = {"seed": SEED, "workers": workers, "progress": progress}
        if design is None:
            make_set(folder, basic=PER_CLASS, compound=PER_CLASS, difficulty=DIFFICULTY, **rest)
        else:
            make_design(folder, design, subsets=SUBSETS_OF[design], **rest)
        pack(folder, file)
