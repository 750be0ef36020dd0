"""Tiny models of three architectures, and backbones on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import transformers
from coabench_transformers.backbone import TransformersVision
from packaging import version
from support import tiny_vlms

from coabench.backbone import BackboneRequest

NAMES = ("llava", "idefics3", "gemma3")
Opened = Callable[..., TransformersVision]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build a model once; return its folder."""

    @cache
    def build(name: str) -> Path:
        if name == "idefics3" and version.parse(transformers.__version__) < version.parse("5.23"):
            pytest.skip("older processors of Idefics 3 ask for torchvision")  # seen with 5.17
        return getattr(tiny_vlms, f"build_{name}")(tmp_path_factory.mktemp(name))

    return build


@pytest.fixture(scope="session")
def opened(folders: Callable[[str], Path]) -> Opened:
    """Open a backbone once for each set of arguments."""

    @cache
    def load(name: str, adapter: str | None = None, **options: Any) -> TransformersVision:
        made = TransformersVision.Options(**{"max_new_tokens": 6, **options})
        backbone = TransformersVision(BackboneRequest(str(folders(name)), adapter, "cpu", "float32", made))
        backbone.load()
        return backbone

    return load


@pytest.fixture
def fresh(folders: Callable[[str], Path], tmp_path: Path) -> Opened:
    """Open a model anew: nothing is known yet about whether its prompts can be continued."""

    def load(name: str, dtype: str = "float32", window: int | None = None) -> TransformersVision:
        folder = folders(name)
        if window:
            folder = shutil.copytree(folder, tmp_path / "model")
            config = json.loads((folder / "config.json").read_text())
            config["text_config"]["sliding_window"] = window
            (folder / "config.json").write_text(json.dumps(config))
        backbone = TransformersVision(
            BackboneRequest(str(folder), None, "cpu", dtype, TransformersVision.Options(max_new_tokens=6))
        )
        backbone.load()
        return backbone

    return load


@pytest.fixture(params=NAMES)
def backbone(request: pytest.FixtureRequest, opened: Opened) -> TransformersVision:
    return opened(request.param)


@pytest.fixture
def without_torchvision() -> None:
    """Skip where torchvision is installed: what happens without it cannot be seen there."""
    from transformers.utils import is_torchvision_available

    if is_torchvision_available():
        pytest.skip("torchvision is installed here")
