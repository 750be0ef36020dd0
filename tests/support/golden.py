"""The golden outputs of the published Phi-3.5-vision code, and the port on the tiny checkpoint that made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.prompt import chat
from PIL import Image

from coabench.backbone import BackboneRequest
from coabench.dialogue import Message

FOLDER = Path(__file__).parent.parent.parent.parent / "shared" / "oracle"
TOLERANCE = 5e-4
"""What right implementations differ by in float32, with room: see the golden files' own notes."""
S1 = (
    "Select an emotion label from the following options: 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', "
    "'Anger', or 'Neutral'."
)


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
        request = {name: options.pop(name) for name in ("model", "dtype", "device") if name in options}
        backbone = Phi35Vision(
            BackboneRequest(
                **{"model": str(self.tiny), "dtype": "float32", "device": "cpu", **request},
                adapter=None if adapter is None else str(adapter),
                options=Phi35Vision.Options(**options),
            )
        )
        backbone.load()
        return backbone


def ids_of(backbone: Phi35Vision, text: str, pictures: Sequence[Picture]) -> list[int]:
    """Return the tokens of a question about pictures."""
    images = tuple(range(len(pictures)))
    return backbone.tokenizer.encode(chat([Message("user", text, images)]), [p.tokens for p in pictures])


def last_logits(
    backbone: Phi35Vision, rows: Sequence[Sequence[int]], pictures: Sequence[Sequence[Picture]]
) -> torch.Tensor:
    """Run rows through the model, without a cache; return their last logits, float32 (rows, vocabulary), on the CPU."""
    model = backbone.model
    with torch.inference_mode():
        images = [dict(enumerate(model.model.vision_embed_tokens(own))) if own else {} for own in pictures]
        embedded = model.embed(rows, images)
        width = embedded.shape[1]
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        positions = torch.arange(width, device=model.device) - (width - lengths)[:, None]
        causal = torch.ones(width, width, dtype=torch.bool, device=model.device).tril()
        itself = torch.eye(width, dtype=torch.bool, device=model.device)
        mask = causal & (positions >= 0)[:, None] | itself
        long = (lengths > model.sizes.rope.original).tolist()
        states = model.model(embedded, positions.clamp(min=0), long, mask[:, None])
        logits: torch.Tensor = model.lm_head(states[:, -1]).float().cpu()
    return logits
