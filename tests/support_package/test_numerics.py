"""Float32 stays float32 on a GPU."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

from coabench.support.numerics import exact_convolutions


@pytest.mark.parametrize(
    ("device", "dtype", "within"),
    [("cuda", torch.float32, "ieee"), ("cuda", torch.bfloat16, "tf32"), ("cpu", torch.float32, "tf32")],
)
def test_convolutions_of_float32_are_not_rounded_on_a_gpu(device: str, dtype: object, within: str) -> None:
    convolutions = torch.backends.cudnn.conv
    assert convolutions.fp32_precision == "tf32"
    with exact_convolutions(SimpleNamespace(device=torch.device(device), dtype=dtype)):
        assert convolutions.fp32_precision == within
    assert convolutions.fp32_precision == "tf32"
    assert torch.backends.cudnn.allow_tf32  # whoever asks in the old way is answered
