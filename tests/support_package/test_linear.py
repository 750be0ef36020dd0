"""Linear layers by oneDNN: the same numbers, and only where they are asked for."""

import pytest
import torch
from torch import nn

from coabench.support import linear
from coabench.support.linear import OneDnn, fast_linear

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often oneDNN was taken."""
    calls: list[int] = []
    fits = linear._fits
    monkeypatch.setattr(linear, "_fits", lambda *given: fits(*given) and not calls.append(1))
    return calls


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 300), (7, 300), (2, 33, 300)])
def test_it_computes_the_same(counted: list[int], bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, given = nn.Linear(300, 150, bias=bias), torch.randn(shape)
    with torch.inference_mode():
        plain = layer(given)
        with OneDnn():
            ours = layer(given)
            assert torch.equal(layer(given), ours)  # and the same every time
    assert len(counted) == 2
    assert ours.shape == plain.shape
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)


def test_gradients_and_other_types_are_left_to_torch(counted: list[int]) -> None:
    layer, given = nn.Linear(8, 4), torch.randn(3, 8)
    with OneDnn():
        layer(given).sum().backward()
        with torch.inference_mode():
            layer.to(torch.bfloat16)(given.bfloat16())
    assert layer.weight.grad is not None
    assert not counted


@pytest.mark.parametrize(
    ("vendor", "flags", "device", "dtype", "taken"),
    [
        ("AuthenticAMD", {"avx512f"}, "cpu", torch.float32, True),
        ("GenuineIntel", {"avx512f"}, "cpu", torch.float32, False),
        ("AuthenticAMD", {"avx2"}, "cpu", torch.float32, False),
        ("AuthenticAMD", {"avx512f"}, "cpu", torch.bfloat16, False),
        ("AuthenticAMD", {"avx512f"}, "cuda", torch.float32, False),
        ("", set(), "cpu", torch.float32, False),
    ],
)
@needs_onednn
def test_it_is_taken_where_it_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, vendor: str, flags: set[str], device: str, dtype: torch.dtype, taken: bool
) -> None:
    monkeypatch.setattr(linear, "cpu_vendor", lambda: vendor)
    monkeypatch.setattr(linear, "cpu_flags", lambda: frozenset(flags))
    assert isinstance(fast_linear(torch.device(device), dtype), OneDnn) is taken
