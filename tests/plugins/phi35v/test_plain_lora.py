"""The adapters that ship, and their like, are merged without PEFT to the very weights of PEFT's merge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from coabench_phi35v import adapter as adapters
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.plain_lora import PlainLora
from coabench_tiny.backbone import ADAPTERS, BASE
from safetensors.torch import load_file, save_file

from coabench.backbone import BackboneRequest

pytestmark = pytest.mark.slow


def weights(folder: Path, dtype: str = "float32") -> dict[str, torch.Tensor]:
    backbone = Phi35Vision(BackboneRequest(str(BASE), str(folder), "cpu", dtype))
    backbone.load()
    state: dict[str, torch.Tensor] = backbone.model.state_dict()
    return state


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A copy of a shipped adapter."""
    return shutil.copytree(ADAPTERS / "direct", tmp_path / "adapter", copy_function=shutil.copyfile)


def is_plain(folder: Path) -> bool:
    backbone = Phi35Vision(BackboneRequest(str(BASE), str(folder), "cpu", "float32"))
    assert backbone._adapter is not None
    return isinstance(backbone._adapter._adapter, PlainLora)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["direct", "chain-of-affect"])
def test_the_weights_are_those_of_peft(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_plain(ADAPTERS / name)
    plain = weights(ADAPTERS / name, dtype)
    monkeypatch.setattr(adapters.PlainLora, "of", lambda *_: None)
    assert not is_plain(ADAPTERS / name)
    merged = weights(ADAPTERS / name, dtype)
    assert plain.keys() == merged.keys()
    assert all(torch.equal(value, merged[key]) for key, value in plain.items())


@pytest.mark.parametrize("change", [{"use_rslora": True}, {"alpha_pattern": {"qkv_proj": 8}}, {"use_dora": True}])
def test_what_is_not_plain_is_left_to_peft(adapter: Path, change: dict[str, object]) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    blueprint = Phi35Vision(BackboneRequest(str(BASE), None, "cpu", "float32")).model
    assert PlainLora.of(adapters.AdapterFolder.read(adapter), blueprint) is None


def test_one_without_effect_says_so(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file({name: value * (".lora_A." in name) for name, value in load_file(path).items()}, path, {"format": "pt"})
    backbone = Phi35Vision(BackboneRequest(str(BASE), str(adapter), "cpu", "float32"))
    backbone.load()
    assert any("changes nothing" in note for note in backbone.details()["notes"])
