"""Layers in 8 and 4 bits compute what the dequantised weight does, with its gradient; what is missing is named."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from peft import PeftModel
from support.adapters import save_adapter
from support.process import Run
from torch import nn

from coabench.backbone import BackboneRequest
from coabench.errors import UserError
from coabench.recipe import LOADS, Load
from coabench.registry.catalog import find_backbone, open_backbone
from coabench.support import quantised
from coabench.support.adapter import Adapter
from coabench.support.adapter_folder import AdapterFolder
from coabench.support.quantised import Quantisation, import_bitsandbytes
from coabench.testing.pictures import draw_face

needs_package = pytest.mark.skipif(import_bitsandbytes() is None, reason="bitsandbytes is not installed")
LARGEST = {"8bit": 0.006, "4bit": 0.11}
"""What rounding may change of a product, as a part of its length."""
BYTES = {"8bit": 1.0, "4bit": 0.5}


def quantised_layer(load: Load, dtype: torch.dtype = torch.float32, bias: bool = True) -> tuple[nn.Linear, Any]:
    torch.manual_seed(0)
    linear = nn.Linear(100, 72, bias).to(dtype).requires_grad_(False)
    return linear, Quantisation(load, dtype).layer(linear, linear.weight.data)


def dequantised(load: Load, layer: Any) -> torch.Tensor:
    import bitsandbytes

    if load == "4bit":
        return bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return bitsandbytes.functional.int8_vectorwise_dequant(layer.weight.data, layer.weight.SCB)


@needs_package
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_multiplies_with_its_dequantised_weight(load: Load, bias: bool) -> None:
    linear, layer = quantised_layer(load, bias=bias)
    x = torch.randn(3, 5, 100)
    whole = nn.functional.linear(x, dequantised(load, layer), linear.bias)
    for training in (False, True, False):  # an answer between two steps changes nothing
        layer.train(training)
        learnt = x.clone().requires_grad_()
        assert torch.allclose(layer(x), whole, atol=1e-5)
        layer(learnt).sum().backward()
        assert torch.allclose(learnt.grad, dequantised(load, layer).sum(dim=0).expand_as(x), atol=1e-4)
    assert torch.allclose(layer(x[:1]), whole[:1], atol=1e-5)  # whatever is beside it
    assert (whole - linear(x)).norm() < LARGEST[load] * linear(x).norm()
    assert layer.weight.nbytes == BYTES[load] * linear.weight.numel()


@needs_package
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_layer_computes_in_the_precision_of_the_model(load: Load, dtype: torch.dtype) -> None:
    linear, layer = quantised_layer(load, dtype)
    x = torch.randn(2, 100, dtype=dtype)
    assert layer.eval()(x).dtype == dtype
    assert (layer(x) - linear(x)).float().norm() < LARGEST[load] * 1.5 * linear(x).float().norm()


@needs_package
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_stands_beside_the_layers_as_pefts_own(load: Load, dora: bool, tmp_path: Path) -> None:
    linear, layer = quantised_layer(load)
    folder = save_adapter(nn.Sequential(linear), "LORA", tmp_path / "lora", target_modules=["0"], use_dora=dora)
    base = nn.Sequential(nn.Linear(100, 72))
    base.load_state_dict({"0.weight": dequantised(load, layer), "0.bias": linear.bias})
    theirs: Any = PeftModel.from_pretrained(base, str(folder)).eval()  # type: ignore[arg-type]
    ours, adapter = nn.Sequential(layer), Adapter(AdapterFolder.read(folder))
    adapter.check(nn.Sequential(nn.Linear(100, 72, device="meta")), merges=False)
    adapter.attach(ours)
    x = torch.randn(4, 100)
    assert torch.allclose(ours(x), theirs(x), atol=1e-4)
    assert not torch.allclose(ours(x), layer(x), atol=1e-2)
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_another_adapter_than_a_lora_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = save_adapter(nn.Sequential(nn.Linear(64, 64)), "LOHA", tmp_path / "a", **{"target_modules": ["0"], "r": 2})
    with pytest.raises(UserError, match="cannot stand beside weights in 8 or 4 bits") as refused:
        Adapter(AdapterFolder.read(folder)).check(nn.Sequential(nn.Linear(64, 64, device="meta")), merges=False)
    assert "coabench adapters export --as merged" in str(refused.value)


def test_without_the_package_the_command_that_installs_it_is_named(
    coabench: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(quantised, "import_bitsandbytes", lambda: None)
    draw_face("Fear").save(tmp_path / "a.png")
    for job in (
        ["evaluate", "--output", tmp_path / "new"],
        ["predict", "a.png"],
        ["train", "--output", tmp_path / "new"],
    ):
        refused = coabench(*job, "--load", "4bit")
        assert refused.returncode == 2
        assert "--load 4bit needs the package bitsandbytes" in refused.stderr
        assert "pip install 'coabench[quantised]'" in refused.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["openai", "replay", "classifier"])
def test_a_backbone_that_does_not_quantise_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"backbone '{name}' cannot keep its weights in 8 bits"):
        open_backbone(find_backbone(name)[0], BackboneRequest(load="8bit"))


def test_bitsandbytes_is_imported_without_what_it_would_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kernels.py").write_text("raise AssertionError('it was asked for code from the hub')\n")
    (tmp_path / "bits_like.py").write_text(
        "import logging\n"
        "try:\n    import kernels\n"
        "except ImportError:\n    logging.getLogger('bits_log').warning('no kernels')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    monkeypatch.setattr(quantised, "PACKAGE", "bits_like")
    monkeypatch.setattr(quantised, "CPU_KERNELS", "bits_log")
    before = sys.modules.get("kernels")
    with caplog.at_level(logging.WARNING):
        assert import_bitsandbytes() is sys.modules.pop("bits_like")
    assert not caplog.records
    assert sys.modules.get("kernels") is before
    monkeypatch.setattr(quantised, "PACKAGE", "bits_that_are_not_there")
    assert import_bitsandbytes() is None
