"""Where images come from: files inside the data root, grey values in a table, encoded images in a table."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from math import isqrt
from pathlib import PurePosixPath

from coabench.support.tree import Tree, TreeFile


def file_inside(tree: Tree, path: str) -> TreeFile | str:
    """Return the image at a path relative to the data root, or why it is refused: a table may come from anywhere."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or re.match(r"[A-Za-z]:|\\\\", path):
        return "an absolute path"
    if ".." in pure.parts or re.search(r"(^|\\)\.\.(\\|$)", path):
        return "a path with '..'"
    if "\0" in path or not pure.name:
        return "no name of a file"
    return tree.refused(pure) or tree.file(pure)


@dataclass(frozen=True)
class PixelImage:
    """An image stored as its grey values, row by row; read as a PGM file."""

    name: str
    width: int
    height: int
    grey: bytes

    def read(self) -> bytes:
        return b"P5 %d %d 255\n" % (self.width, self.height) + self.grey

    def size(self) -> int:
        return len(self.read())


def grey_values(text: str) -> tuple[int, int, bytes] | str:
    """Return width, height and grey values of a square image, or what is wrong with the text."""
    import numpy as np

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what it says of text that is no number
            values = np.fromstring(text, dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        return "not only whole numbers"
    if ((values < 0) | (values > 255)).any():
        return "not only numbers from 0 to 255"
    grey = values.astype(np.uint8).tobytes()
    side = isqrt(len(grey))
    if not grey or side * side != len(grey):
        return f"{len(grey):,} values, which make no square"
    return side, side, grey
