"""``--dtype int8``: near float32 on the checkpoint of the golden outputs, the same in every batch, another identity."""

from __future__ import annotations

import pytest
import torch
from coabench_tiny.backbone import ADAPTERS, Tiny

from coabench.backbone import BackboneRequest
from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.support.int8_dynamic import FAST, DynamicInt8Linear
from coabench.support.placement import cpu_flags
from coabench.testing.pictures import tiny_images

pytestmark = pytest.mark.skipif(cpu_flags().isdisjoint(FAST), reason="the CPU multiplies no 8-bit integers")

BASIC = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
ASKED = Question(f"Select an emotion label: {', '.join(BASIC)}.", BASIC)


def scores(backbone, images):
    viewing = backbone.look([backbone.prepare([image]) for image in images])
    return torch.tensor([[*answer.scores.values()] for answer in viewing.ask([ASKED] * len(images), "score")])


@pytest.mark.slow
def test_scores_are_near_those_of_float32(oracle):
    images = [oracle.image(name) for name in ("100x100", "Surprise_Fear_0")]
    whole, own = (scores(oracle.backbone(oracle.adapter, dtype=dtype, num_crops=1), images)
                  for dtype in ("float32", "int8"))  # fmt: skip
    assert 0 < (own - whole).abs().mean() < MEAN
    assert own.argmax(dim=1).equal(whole.argmax(dim=1))


MEAN = 0.4
"""Nats, of log-probabilities down to -14; random weights let rounding through that trained ones do not."""
LARGEST = 0.5
"""Nats, of the embedded model."""


def opened(dtype: str, adapter: str | None = "chain-of-affect") -> Tiny:
    backbone = Tiny(BackboneRequest(adapter=adapter and str(ADAPTERS / adapter), device="cpu", dtype=dtype))
    backbone.load()
    return backbone


def test_the_embedded_model_says_so_and_answers_alike():
    whole, own = opened("float32"), opened("int8")
    assert own.identity()["dtype"] == "int8"
    assert own.identity()["int8"]["engine"] == "onednn"
    assert {**own.identity(), "dtype": "float32"} != whole.identity()
    replaced = [name for name, module in own.model.named_modules() if isinstance(module, DynamicInt8Linear)]
    assert replaced == whole.model.linear_layers
    assert own.model.lm_head.weight.dtype == own.model.model.norm.weight.dtype == torch.float32
    images = tiny_images(6)
    together = scores(own, images)
    assert (together - scores(whole, images)).abs().max() < LARGEST
    alone = torch.cat([scores(own, [image]) for image in images])
    assert (together - alone).abs().max() < NOISE


NOISE = 0.05
"""What the sums of float32 beside the layers may move a score by, where they move an input past half of an integer."""


def test_an_adapter_counts(tmp_path):
    images = tiny_images(2)
    assert (scores(opened("int8"), images) - scores(opened("int8", None), images)).abs().max() > LARGEST
