"""What the tests of the port share: golden outputs of the published code, and backbones on the tiny checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.images import Picture, picture
from PIL import Image
from support.process import ROOT

from coabench.backbone import BackboneRequest

TOLERANCE = 5e-4
"""What right implementations differ by in float32, with room: see the golden files' own notes."""


class Oracle:
    """The folder of golden outputs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tiny = root / "tiny"
        self.adapter = root / "adapter"

    @cache  # noqa: B019
    def json(self, name: str) -> dict[str, Any]:
        return json.loads((self.root / f"{name}.json").read_text())

    @cache  # noqa: B019
    def arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.root / f"{name}.npz") as arrays:
            return dict(arrays)

    def image(self, name: str) -> Image.Image:
        folder = "images" if "x" in name and name[0].isdigit() else "faces"
        return Image.open(self.root / folder / f"{name}.png")

    def picture(self, name: str, num_crops: int) -> Picture:
        return picture(self.image(name), num_crops)

    def backbone(self, adapter: str | Path | None = None, **options: Any) -> Phi35Vision:
        request = {name: options.pop(name) for name in ("model", "dtype") if name in options}
        backbone = Phi35Vision(
            BackboneRequest(
                **{"model": str(self.tiny), "dtype": "float32", **request},
                adapter=None if adapter is None else str(adapter),
                device="cpu",
                options=Phi35Vision.Options(**options),
            )
        )
        backbone.load()
        return backbone


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    root = ROOT.parent / "shared" / "oracle"
    if not root.is_dir():
        pytest.skip(f"golden outputs of the published code are not at {root}")
    torch.set_num_threads(2)
    return Oracle(root)


@pytest.fixture(scope="session")
def loaded(oracle: Oracle) -> Callable[..., Phi35Vision]:
    """Return backbones by (``base`` or ``lora_random``, options), loaded once in a session."""

    @cache
    def load(which: str = "base", **options: Any) -> Phi35Vision:
        return oracle.backbone(oracle.adapter if which == "lora_random" else None, **options)

    return load


@pytest.fixture(scope="session")
def last_logits() -> Callable[..., torch.Tensor]:
    """Return the function that runs rows through the model, without a cache, and returns their last logits."""

    def run(
        backbone: Phi35Vision,
        rows: Sequence[Sequence[int]],
        pictures: Sequence[Sequence[Picture]],
        pad: int = 0,
    ) -> torch.Tensor:
        model = backbone.model
        with torch.inference_mode():
            images = [dict(enumerate(model.model.vision_embed_tokens(own))) if own else {} for own in pictures]
            embedded = model.embed(rows, images)
            width = embedded.shape[1]
            lengths = torch.tensor([len(row) for row in rows])
            positions = torch.arange(width) - (width - lengths)[:, None]
            causal = torch.ones(width, width, dtype=torch.bool).tril()
            mask = causal & (positions >= 0)[:, None] | torch.eye(width, dtype=torch.bool)
            long = (lengths > model.sizes.rope.original).tolist()
            states = model.model(embedded, positions.clamp(min=0), long, mask[:, None])
            logits: torch.Tensor = model.lm_head(states[:, -1]).float()
        return logits

    return run
