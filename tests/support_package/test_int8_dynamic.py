"""Layers of 8-bit integers compute what their layer does, each row as if it were alone; what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from support.process import Run
from torch import nn

from coabench.backbone import BackboneRequest
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.registry.catalog import find_backbone, open_backbone
from coabench.support import int8_dynamic
from coabench.support.int8_dynamic import DynamicInt8Linear, check_int8, multiply_integers
from coabench.support.placement import cpu_flags

CPU = torch.device("cpu")
needs_integers = pytest.mark.skipif(
    cpu_flags().isdisjoint(int8_dynamic.FAST), reason="the CPU multiplies no 8-bit integers"
)


def layers(bias: bool = True, dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, DynamicInt8Linear]:
    torch.manual_seed(0)
    linear = nn.Linear(101, 72, bias).to(dtype).requires_grad_(False)
    with torch.inference_mode():
        return linear, DynamicInt8Linear(linear)


def rounded(rows: torch.Tensor) -> torch.Tensor:
    scale = rows.abs().amax(-1, keepdim=True) / 127
    return (rows / scale).round() * scale.double()


def by_hand(linear: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """Return what the integers give, summed in double precision."""
    inputs, weight = (rounded(each) for each in (x, linear.weight.float()))
    return inputs @ weight.T + (0 if linear.bias is None else linear.bias.double())


@needs_integers
@torch.inference_mode()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_layer_multiplies_the_integers_that_it_says(bias: bool, dtype: torch.dtype) -> None:
    linear, layer = layers(bias, dtype)
    x = torch.randn(3, 5, 101) * torch.logspace(-3, 3, 5)[:, None]
    assert torch.allclose(layer(x).double(), by_hand(linear, x), rtol=1e-4, atol=1e-5)
    whole = linear.float()(x)
    assert ((layer(x) - whole).norm(dim=-1) < 0.02 * whole.norm(dim=-1) + 1e-6).all()


@needs_integers
@torch.inference_mode()
def test_what_else_is_in_the_batch_changes_not_a_bit() -> None:
    _, layer = layers()
    x = torch.randn(40, 101)
    beside = torch.cat([x, 1000 * torch.randn(60, 101)])
    assert torch.equal(layer(beside)[:40], layer(x))
    assert torch.equal(layer(x), torch.cat([layer(row) for row in x.split(1)]))


@needs_integers
@torch.inference_mode()
def test_extreme_rows_keep_to_themselves() -> None:
    linear, layer = layers()
    x = torch.randn(4, 101)
    x[1], x[2, 7], x[3, 7] = 0, float("nan"), float("inf")
    made = layer(x)
    assert torch.equal(made[1], linear.bias)
    assert made[2].isnan().all()
    assert not made[3].isfinite().any()
    assert torch.equal(made[0], layer(x[:1])[0])


@needs_integers
def test_only_the_named_layers_are_replaced() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8)).requires_grad_(False)
    multiply_integers(model, ["0"])
    assert [type(module) for module in model] == [DynamicInt8Linear, nn.LayerNorm, nn.Linear]


@pytest.mark.parametrize("name", ["openai", "replay", "classifier"])
def test_a_backbone_that_multiplies_no_integers_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"backbone '{name}' cannot compute in 8-bit integers"):
        open_backbone(find_backbone(name)[0], BackboneRequest(dtype="int8"))


def test_a_machine_that_cannot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--dtype int8 is for CPUs"):
        check_int8(torch.device("cuda"), None)
    monkeypatch.setattr(int8_dynamic, "cpu_flags", lambda: frozenset({"avx2", "avx512f"}))
    with pytest.raises(UserError, match="cannot compute --dtype int8") as refused:
        check_int8(CPU, None)
    assert "avx512_vnni" in str(refused.value)


def test_a_training_with_it_is_refused() -> None:
    with pytest.raises(UserError, match="--dtype int8 answers and does not learn"):
        Recipe(dtype="int8")


def test_it_is_refused_beside_quantised_weights(coabench: Run, tmp_path: Path) -> None:
    refused = coabench("evaluate", "--load", "8bit", "--dtype", "int8", "--output", "new")
    assert refused.returncode == 2
    assert "--load 8bit and --dtype int8 both quantise the weights" in refused.stderr
    assert not (tmp_path / "new").exists()
