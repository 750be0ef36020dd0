"""A device whose memory runs out, as torch, CUDA and its libraries say it."""

import pytest

pytest.importorskip("torch")

import torch

from coabench.errors import OutOfMemory
from coabench.support.memory import explained_oom


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_runs_out_says_what_to_lower(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="lower it"), explained_oom("too little memory", "lower it"):
        raise error


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained_oom("too little memory", "lower it"):
        raise RuntimeError("shapes cannot be multiplied")
