"""The backbone ``tiny``: `coabench_phi35v` with a checkpoint and adapters that ship, and defaults that suit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from coabench_phi35v.backbone import Phi35Vision

from coabench.backbone import BackboneRequest
from coabench.recipe import Preset

BASE = Path(__file__).parent / "base"
"""The checkpoint that ships: config.json, tokenizer.json, model.safetensors. `coabench_tiny.recipe` makes it."""
ADAPTERS = Path(__file__).parent / "adapters"
"""The adapters that ship, named after the strategy they were trained for."""

RENDERED = "the model tiny has seen rendered faces only: what it says about people means nothing"


class Tiny(Phi35Vision):
    """``--backbone tiny`` is the shipped checkpoint, ``--backbone tiny:DIR`` another one of its kind."""

    presets: ClassVar[Mapping[str, Preset]] = {
        "default": Preset(
            recipe={
                **{"rank": 16, "alpha": 32.0, "dropout": 0.0, "mirror": True, "steps": 400, "batch_size": 64},
                **{"learning_rate": 1e-3, "evaluations": 4},
            },
            micro_batch=16,
            description="the LoRA that ships, in minutes on two cores",
        ),
        "grpo": Preset(
            recipe={
                **{"objective": "grpo", "rank": 16, "alpha": 32.0, "dropout": 0.0, "mirror": True, "steps": 60},
                **{"batch_size": 16, "learning_rate": 3e-4, "warmup": 0.05, "evaluations": 3},
            },
            micro_batch=16,
            description="rewards for drawn answers, of an adapter that answers in words already",
        ),
        "base": Preset(
            recipe={
                **{"full": True, "targets": ("language",), "mirror": True, "steps": 200, "batch_size": 64},
                **{"learning_rate": 1e-3, "evaluations": 2},
            },
            micro_batch=16,
            description="the checkpoint that ships: a decoder that learns to name what a pre-trained tower sees",
        ),
    }

    @dataclass(frozen=True)
    class Options(Phi35Vision.Options):
        """As for Phi-3.5-vision. One crop of 96 pixels already holds all that a face of 100 pixels shows."""

        num_crops: int = 1
        max_new_tokens: int = 16

    def __init__(self, request: BackboneRequest) -> None:
        # float32 unless asked otherwise: bfloat16 gains nothing at this size, and figures should not vary by machine.
        dtype = "float32" if request.dtype == "auto" else request.dtype
        super().__init__(replace(request, model=request.model or str(BASE), dtype=dtype))
        self._shipped = request.model is None

    def details(self) -> Mapping[str, Any]:
        """Return what `Phi35Vision` does, and of the shipped checkpoint a word of warning."""
        details = super().details()
        return {**details, "notes": [*details["notes"], RENDERED]} if self._shipped else details

    @classmethod
    def default_adapter(cls, model: str | None, strategy: str) -> Path | None:
        """Return the adapter that ships for a strategy; none for another checkpoint."""
        folder = ADAPTERS / strategy.partition(":")[0]
        return folder if model is None and folder.is_dir() else None
