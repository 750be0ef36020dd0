"""The conformance suite on three architectures: batches, histories, scores, several images, options."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

pytest.importorskip("torch")

from support import tiny_vlms

from coabench.testing import BackboneConformance
from coabench.testing.backbones import check

pytestmark = pytest.mark.slow


class Tiny(BackboneConformance):
    @classmethod
    def find(cls):
        with tempfile.TemporaryDirectory() as folder:
            model = str(cls.build(Path(folder)))
            # In bfloat16 the batch moves scores of this size by more than the suite allows.
            return check("transformers", model, assignments={"max_new_tokens": "4"}, device="cpu", dtype="float32")


class TestLlava(Tiny):
    build = staticmethod(tiny_vlms.build_llava)


class TestIdefics3(Tiny):
    build = staticmethod(tiny_vlms.build_idefics3)


class TestGemma3(Tiny):
    build = staticmethod(tiny_vlms.build_gemma3)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "smolvlm"])
def test_models_whose_processors_need_torchvision(tmp_path, name):
    pytest.importorskip("torchvision")
    pytest.importorskip("num2words")
    model = str(getattr(tiny_vlms, f"build_{name}")(tmp_path))
    assert check("transformers", model, assignments={"max_new_tokens": "4"}, device="cpu", dtype="float32") == []


del Tiny, BackboneConformance  # not to be collected
