"""From a picture of a cropped data set back to the one that it was cut out of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.files import write_json
from coabench.base.json import read_json
from coabench.base.jsonlines import InvalidLine, read_lines
from coabench.base.reading import is_file
from coabench.dataset import Card
from coabench.detector import Box
from coabench.errors import UserError
from coabench.support.archives import open_tree
from coabench.support.tree import Tree, TreeFile

LOG, ROOT = "crops.jsonl", "originals.json"


@dataclass(frozen=True)
class Original:
    """The picture that a face was cut out of.

    Attributes:
        file: where it was; None where it is no longer.
        sha256: of its bytes then.
        size: width and height in pixels.
    """

    file: TreeFile | None
    sha256: str
    size: tuple[int, int]
    box: Box


def cropped_again(card: Card) -> list[str]:
    """Return the note of a job with ``--crop`` where the pictures are faces that `datasets crop` cut out already."""
    if card.path is None or not is_file(card.path.parent / LOG):
        return []
    return [f"the pictures of {card.name} are faces cut out by `datasets crop`: --crop cuts a part out of each again"]


def keep_root(output: Path, root: Path | None) -> None:
    """Write where the pictures are, seen from the folder of the faces; it changes no face and is in no identity."""
    if root is not None:
        try:
            seen = os.path.relpath(root, output)
        except ValueError:  # on another drive
            seen = str(root.absolute())
        write_json(output / ROOT, {"data_root": seen})


def read_originals(card: Card) -> Mapping[str, Original]:
    """Return the originals of the faces that `datasets crop` wrote beside a card, by the name of the face's file.

    There are none for another data set, and for one whose log cannot be read.
    """
    folder = card.path.parent if card.path else None
    if folder is None:
        return {}
    try:
        whole = open_tree(folder / str(read_json(folder / ROOT)["data_root"]))
        trees = tuple(filter(None, (whole.inner(), whole)))
    except (OSError, ValueError, LookupError, TypeError, UserError):
        trees = ()
    try:
        return {
            crop["file"]: _original(row, crop["box"], trees)
            for row in (line.data for line in read_lines(folder / LOG))
            for crop in (row["crops"] if "size" in row else ())
        }
    except (OSError, InvalidLine, LookupError, TypeError, ValueError):
        return {}


def _original(row: Mapping[str, Any], box: Any, trees: Sequence[Tree]) -> Original:
    left, top, right, bottom = map(int, box)
    width, height = map(int, row["size"])
    name = str(row["image"])
    file = next((tree.file(name) for tree in trees if tree.exists(name)), None)
    return Original(file, str(row["sha256"]), (width, height), (left, top, right, bottom))
