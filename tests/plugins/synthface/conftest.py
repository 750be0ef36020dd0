"""Rendered sets where the 3-D assets are installed, and pretended ones everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coabench_synthface.dataset import SynthFace
from coabench_synthface.make import make_set
from coabench_synthface.packing import pack

from coabench.base import shipped
from coabench.dataset import Card, Dataset
from coabench.errors import UserError

Open = Callable[..., SynthFace]
LANDMARKS = ((35.04, 45.0), (65.0, 45.0), (50.0, 60.0), (40.0, 75.0), (60.0, 75.0))


@pytest.fixture(scope="session")
def assets() -> None:
    """Skip where pictures cannot be rendered."""
    from coabench_synthface.assets import data_folder

    if find_spec("numba") is None:
        pytest.skip("numba is not installed: pip install 'coabench[synthface]'")
    try:
        data_folder()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def rendered(assets: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set, rendered for real."""
    folder = tmp_path_factory.mktemp("rendered") / "set"
    make_set(folder, basic={"train": 1, "test": 1}, compound={"train": 1, "test": 2}, seed=7, per_person=3)
    return folder


@pytest.fixture
def no_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a picture of one colour in the place of every face, so that neither assets nor numba are needed."""
    from PIL import Image

    def encode(image: Any, quality: int) -> bytes:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    def render(person: Any, expression: Any, scene: Any, rng: Any, size: int = 100) -> Any:
        return Image.new("RGB", (size, size), tuple(int(x) for x in rng.integers(0, 256, 3)))

    monkeypatch.setitem(sys.modules, "coabench_synthface.render", SimpleNamespace(render=render, encode=encode))
    monkeypatch.setattr("coabench_synthface.make.landmarks", lambda drawn: LANDMARKS)
    monkeypatch.setattr("coabench_synthface.landmarks.landmarks", lambda drawn, size: LANDMARKS)
    for module in ("make", "make_design"):
        monkeypatch.setattr(f"coabench_synthface.{module}.versions", lambda: {"anny": "0"})


@pytest.fixture
def pretended(no_renderer: None, tmp_path: Path) -> Path:
    """A set in all but its faces."""
    folder = tmp_path / "set"
    make_set(folder, basic={"train": 2, "dev": 1, "test": 2}, compound={"train": 2, "test": 2}, seed=7)
    return folder


@pytest.fixture
def packed(pretended: Path, tmp_path: Path) -> Path:
    """The same set as an archive."""
    pack(pretended, tmp_path / "set.zip")
    return tmp_path / "set.zip"


@pytest.fixture
def open_set() -> Open:
    """Open one half of a set: ``open_set(root, "basic")``; of the one that comes with coabench where root is None."""

    def open_(root: Path | None, subset: str = "compound") -> SynthFace:
        card = Card.read(shipped.path("datasets_registry", f"synthface-{subset}.yaml"))
        return SynthFace(card, root, Dataset.Options())

    return open_
