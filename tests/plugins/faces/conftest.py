"""Opening cards of one's own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_faces.dataset import Faces

from coabench.dataset import Card

Open = Callable[..., Faces]

HEAD = """
name: mine
loader: faces
labels:
  classes: [{name: Anger, code: 1}, {name: Happiness, code: 2}, {name: Sadness, code: 3}]
"""


@pytest.fixture
def write_card(tmp_path: Path) -> Callable[..., Path]:
    """Write a card with these options (YAML): ``write_card("table: labels.csv")``."""

    def write(options: str = "", splits: str = "[test]", head: str = HEAD) -> Path:
        path = tmp_path / "mine.yaml"
        indented = textwrap.indent(textwrap.dedent(options), "  ")
        path.write_text(f"{head}splits: {splits}\n" + (f"options:\n{indented}\n" if options else ""))
        return path

    return write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty data root."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def open_faces(root: Path, write_card: Callable[..., Path]) -> Open:
    """Open the data root with a card of these options."""

    def open_(options: str = "", splits: str = "[test]", **more: str) -> Faces:
        return Faces(Card.read(write_card(options, splits, **more)), root, Faces.Options())

    return open_
