"""Models of transformers in 8 and 4 bits: which layers are quantised, and an adapter beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_transformers.backbone import TransformersVision
from support.adapters import save_adapter
from support.tiny_vlms import LABELS, PROMPTS
from torch import nn
from transformers import AutoModelForImageTextToText

from coabench.backbone import BackboneRequest
from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.recipe import LOADS, Load
from coabench.support.quantised import import_bitsandbytes
from coabench.testing.pictures import draw_face

pytestmark = [
    pytest.mark.skipif(import_bitsandbytes() is None, reason="bitsandbytes is not installed"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
QUESTION = Question(PROMPTS[1], Choices(LABELS))


def opened(folder: Path, adapter: Path | None, load: Load | None) -> TransformersVision:
    backbone = TransformersVision(BackboneRequest(str(folder), adapter and str(adapter), "cpu", "float32", None, load))
    backbone.load()
    return backbone


def scores(backbone: Any) -> dict[str, float]:
    [answer] = backbone.look([backbone.prepare([draw_face("Fear")])]).score([QUESTION])
    return dict(answer.scores)


@pytest.mark.parametrize("load", LOADS)
def test_the_language_model_is_quantised_and_an_adapter_stands_beside_it(
    folders: Callable[[str], Path], tmp_path: Path, load: Load
) -> None:
    plain: Any = AutoModelForImageTextToText.from_pretrained(folders("llava"))
    linears = [n for n, m in plain.model.language_model.named_modules() if type(m) is nn.Linear]
    targets = ["q_proj", "fc1", "linear_1"]  # of the language model, the vision tower and the projector
    adapter = save_adapter(plain, "LORA", tmp_path / "adapter", target_modules=targets)
    backbone = opened(folders("llava"), adapter, load)
    model: Any = backbone._model
    kinds = {"8bit": torch.int8, "4bit": torch.uint8}
    few = {n for n, p in model.named_parameters() if p.dtype == kinds[load]}
    assert few
    assert all(".language_model." in name for name in few)
    assert len(few) == len(linears)
    reference = opened(folders("llava"), adapter, None)
    for name, module in model.named_modules():  # the same numbers, whole
        if isinstance(module, nn.Linear) and module.weight.dtype == kinds[load]:
            own = dict(reference._model.named_modules())[name.replace(".base_layer", "")]
            wrapper = model.get_submodule(name.removesuffix(".base_layer")) if name.endswith(".base_layer") else None
            weight = module(torch.eye(module.in_features)).T
            own.weight.data = weight if wrapper is None else weight + wrapper.get_delta_weight("default")
    theirs, ours = scores(reference), scores(backbone)
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert scores(opened(folders("llava"), None, load)) != pytest.approx(ours, abs=1e-2)
