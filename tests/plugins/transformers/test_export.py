"""A model of transformers with its adapter, written as one checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from coabench_transformers.backbone import TransformersVision
from peft import LoraConfig, PeftModel

from coabench.adapters.export import export
from coabench.backbone import BackboneRequest


def test_a_merged_checkpoint_has_the_weights_of_peft_s_own_merge(
    opened: Callable[..., TransformersVision], tmp_path: Path
) -> None:
    opener = opened("llava").checkpoint
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    wrapped = PeftModel(opener.load(torch.float32, "sdpa"), config)
    wrapped.save_pretrained(tmp_path / "adapter")
    export(tmp_path / "adapter", "merged", tmp_path / "whole", f"transformers:{opener.folder}")
    theirs = wrapped.merge_and_unload().state_dict()
    whole = TransformersVision(BackboneRequest(str(tmp_path / "whole"), None, "cpu", "float32", None))
    ours = whole.checkpoint.load(torch.float32, "sdpa").state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)
    assert sum(
        not torch.equal(value, theirs[name]) for name, value in opener.load(torch.float32, "sdpa").state_dict().items()
    )
